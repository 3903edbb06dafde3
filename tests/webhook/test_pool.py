"""Processes that compute an offline model: shared work, replaced when dead, never left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psycopg
import pytest

from evervec.providers import ProviderError, Providers
from evervec.providers import pool as pool_module
from evervec.providers.offline import OfflineProvider
from evervec.providers.pool import Pool
from evervec.records import Model
from tests.support import toy_encoder
from tests.support.migrating import wait_for
from tests.support.sql_worker import value
from tests.webhook.conftest import Program
from tools.chain import ROOT

TOY = Model("toy", "toy", "toy", 2)
LOCAL = Model("local", "local", "universal-sentence-encoder-multilingual-v3", 512)

# Each a piece of work of its own.
LONG = "x" * 3_000


@pytest.fixture
def pool() -> Iterator[Pool]:
    pool = Pool(toy_encoder.__name__, 2)
    yield pool
    pool.close()


def failure(pool: Pool, *texts: str) -> ProviderError:
    with pytest.raises(ProviderError) as error:
        pool.encode(texts)
    return error.value


def lengths(pool: Pool, *texts: str) -> list[int]:
    return [int(length) for length in pool.encode(texts)[:, 0]]


def children(parent: int) -> list[int]:
    """The processes that `parent` started and that still run."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            pid, rest = stat.parent.name, stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(rest[1]) == parent and rest[0] != "Z":
            found.append(int(pid))
    return found


def runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_a_large_request_is_shared_out_and_comes_back_in_order(pool: Pool) -> None:
    texts = [LONG + "y" * number for number in range(20)]

    vectors = pool.encode(texts)

    assert [int(length) for length in vectors[:, 0]] == [len(text) for text in texts]
    processes = {int(pid) for pid in vectors[:, 1]}
    assert len(processes) == 2
    assert os.getpid() not in processes


def test_processes_give_the_vectors_that_one_process_gives() -> None:
    texts = [f"film {number} about whales, and a captain who hunts them" for number in range(200)]

    alone = Providers().embed(LOCAL, texts, "document").vectors
    together = Providers(local_processes=2).embed(LOCAL, texts, "document").vectors

    np.testing.assert_allclose(together, alone, atol=1e-5)


def test_a_small_request_starts_no_process() -> None:
    providers = Providers(local_processes=2)
    before = children(os.getpid())

    providers.embed(LOCAL, ["a whale", "a captain"], "document")
    providers.embed_query(LOCAL, "a whale")

    assert children(os.getpid()) == before


def test_a_process_killed_while_idle_is_replaced(pool: Pool) -> None:
    first = {int(pid) for pid in pool.encode([LONG] * 8)[:, 1]}
    for pid in first:
        os.kill(pid, signal.SIGKILL)

    second = {int(pid) for pid in pool.encode([LONG] * 8)[:, 1]}

    assert second
    assert not first & second


def test_the_piece_of_a_process_that_dies_at_work_is_done_again(pool: Pool, tmp_path: Path) -> None:
    deadly = f"{toy_encoder.KILL_ONCE}{tmp_path / 'mark'} {LONG}"

    assert lengths(pool, LONG, deadly, LONG + "y") == [3_000, len(deadly), 3_001]


def test_a_text_that_kills_every_process_is_an_error_and_the_next_request_is_not(
    pool: Pool,
) -> None:
    error = failure(pool, LONG, toy_encoder.KILL + LONG, LONG)

    assert error.error_class == "server_error"
    assert "exit code -9" in error.message
    assert lengths(pool, LONG, LONG) == [3_000, 3_000]


def test_a_text_that_the_model_does_not_take_is_bad_input_and_ends_no_process(pool: Pool) -> None:
    before = {int(pid) for pid in pool.encode([LONG] * 8)[:, 1]}

    error = failure(pool, LONG, toy_encoder.RAISE + LONG, LONG)

    assert error.error_class == "bad_input"
    assert "x" * 10 not in error.message
    assert {int(pid) for pid in pool.encode([LONG] * 8)[:, 1]} == before


def test_a_process_that_hangs_is_a_timeout_and_the_next_request_is_not(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool.encode([LONG] * 8)
    monkeypatch.setattr(pool_module, "_PATIENCE_SECONDS", 0.3)
    assert failure(pool, LONG, toy_encoder.HANG + LONG).error_class == "timeout"
    monkeypatch.undo()

    assert lengths(pool, LONG, LONG) == [3_000, 3_000]


def test_a_signal_that_everybody_gets_ends_no_process(pool: Pool) -> None:
    before = {int(pid) for pid in pool.encode([LONG] * 8)[:, 1]}
    for pid in before:
        os.kill(pid, signal.SIGTERM)
        os.kill(pid, signal.SIGINT)

    assert {int(pid) for pid in pool.encode([LONG] * 8)[:, 1]} == before


def test_closing_ends_the_processes(pool: Pool) -> None:
    processes = {int(pid) for pid in pool.encode([LONG] * 8)[:, 1]}

    pool.close()

    assert [pid for pid in processes if runs(pid)] == []


def test_a_toy_provider_uses_the_pool_for_large_requests_only(pool: Pool) -> None:
    provider = OfflineProvider(TOY, toy_encoder.__name__, pool)

    small = provider.embed(["x"], "document").vectors
    large = provider.embed([LONG, LONG], "document").vectors

    assert int(small[0, 1]) == os.getpid()
    assert os.getpid() not in {int(pid) for pid in large[:, 1]}


_OWNER = """
import sys
from evervec.providers.pool import Pool
pool = Pool("tests.support.toy_encoder", 2)
pool.encode(["x" * 3000] * 8)
print("ready", flush=True)
sys.stdin.readline()
"""


@pytest.mark.parametrize("end", ["exit", "SIGTERM", "SIGKILL"])
def test_the_processes_end_with_the_one_that_started_them(end: str) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", _OWNER],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as owner:
        assert owner.stdin is not None
        assert owner.stdout is not None
        assert owner.stdout.readline() == "ready\n"
        processes = children(owner.pid)
        assert len(processes) == 2

        if end == "exit":
            owner.stdin.write("\n")
            owner.stdin.flush()
        else:
            owner.send_signal(signal.Signals[end])
        owner.wait(20)

    wait_for(lambda: not any(runs(pid) for pid in processes))


def test_a_worker_uses_them_and_leaves_none_behind_at_sigterm(
    conn: psycopg.Connection, program: Program
) -> None:
    conn.execute("create table note (id int primary key, body text)")
    conn.execute("select evervec.track('note', p_template => '{body}', p_index => 'none')")
    conn.execute(
        "insert into note select g, repeat('whale ' || g || ' ', 30) from generate_series(1, 400) g"
    )
    with program.started("worker", "--json-logs", EVERVEC_LOCAL_PROCESSES="2") as worker:
        wait_for(lambda: len(children(worker.pid)) == 2)
        processes = children(worker.pid)

        # As a service manager does it: to all of them.
        for pid in (*processes, worker.pid):
            os.kill(pid, signal.SIGTERM)
        _, said = worker.communicate(timeout=60)

    assert worker.returncode == 0, said
    assert all(line.startswith("{") for line in said.splitlines()), said
    wait_for(lambda: not any(runs(pid) for pid in processes))
    assert program.run("worker", "--drain", EVERVEC_LOCAL_PROCESSES="2").code == 0
    assert value(conn, "select count(*) from note_embedding") == 400
