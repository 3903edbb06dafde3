"""`evervec serve`: several processes, one run in each, and nothing lost when they are killed."""

from __future__ import annotations

import json
import os
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

from tests.service.serving import Serving, serving, track_notes
from tests.support.openai_server import Answer, OpenAIServer
from tests.webhook.conftest import Program

ROWS = 60


@pytest.fixture
def api() -> Iterator[OpenAIServer]:
    with OpenAIServer().running() as server:
        yield server


@pytest.fixture
def program(url: str) -> Program:
    return Program(url)


@pytest.fixture
def notes(conn: psycopg.Connection) -> psycopg.Connection:
    track_notes(conn, ROWS)
    return conn


def ask(serving: Serving, path: str, headers: Mapping[str, str], body: bytes = b"") -> int:
    """POST; the status."""
    request = urllib.request.Request(  # noqa: S310 (our own)
        f"{serving.address}/v1{path}", data=body, headers=dict(headers), method="POST"
    )
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def eventually(true: Callable[[], bool], seconds: float = 30) -> None:
    """Wait for something to become true."""
    give_up = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < give_up, "it never came true"
        time.sleep(0.02)


def embedded(conn: psycopg.Connection) -> int:
    row = conn.execute("select count(*) from note_embedding").fetchone()
    return int(row[0]) if row else 0


def leased(conn: psycopg.Connection) -> int:
    row = conn.execute(
        "select count(*) from evervec.processing_queue where lease_token is not null"
    ).fetchone()
    return int(row[0]) if row else 0


def test_of_two_processes_one_hears_a_ring(
    notes: psycopg.Connection, url: str, api: OpenAIServer, tmp_path: Path
) -> None:
    body = b'{"evervec": "ring"}'
    with (
        serving(url, tmp_path / "log", api, "--workers", "2") as served,
        ThreadPoolExecutor(16) as pool,
    ):
        for _ in range(10):
            row = notes.execute(
                'select "timestamp"::text, nonce, signature from evervec.sign_ring(%s)', [body]
            ).fetchone()
            names = ("X-Evervec-Timestamp", "X-Evervec-Nonce", "X-Evervec-Signature")
            headers = dict(zip(names, row or (), strict=True))
            asked = [pool.submit(ask, served, "/wake", headers, body) for _ in range(16)]
            assert Counter(one.result() for one in asked) == {202: 1, 401: 15}


def test_200_rings_in_a_second_are_one_run_at_a_time(
    notes: psycopg.Connection, url: str, api: OpenAIServer, tmp_path: Path
) -> None:
    with (
        serving(
            url, tmp_path / "log", api, EVERVEC_BATCH_SIZE="10", EVERVEC_LOG_LEVEL="debug"
        ) as served,
        ThreadPoolExecutor(16) as pool,
    ):
        statuses = Counter(pool.map(lambda _: ask(served, "/wake", served.headers), range(200)))
        eventually(lambda: embedded(notes) == ROWS)
        eventually(lambda: len(served.events("run_finished")) == len(served.events("run_started")))

        events = [line["event"] for line in served.said if line["event"].startswith("run_")]
    assert statuses == {202: 200}
    assert events == ["run_started", "run_finished"] * (len(events) // 2)


def test_killed_between_202_and_its_work_the_next_tick_finishes_it(
    notes: psycopg.Connection, url: str, api: OpenAIServer, tmp_path: Path
) -> None:
    with serving(url, tmp_path / "log", api, EVERVEC_FAILPOINT="after_claim") as served:
        assert ask(served, "/wake", served.headers) == 202
        eventually(lambda: served.events("failpoint") != [])
    assert embedded(notes) == 0
    notes.execute("delete from evervec.api_token")

    with serving(url, tmp_path / "next", api) as served:

        def ticked() -> bool:
            assert ask(served, "/cron/tick", served.headers) == 200
            return embedded(notes) == ROWS

        eventually(ticked)


def test_sigterm_finishes_what_is_in_hand(
    notes: psycopg.Connection, url: str, api: OpenAIServer, tmp_path: Path
) -> None:
    notes.execute("update evervec.model set batch_texts = 20 where name = 'wire'")
    api.script(Answer(slow=1.0))
    with serving(url, tmp_path / "log", api, EVERVEC_CONCURRENCY="1") as served:
        ask(served, "/wake", served.headers)
        eventually(lambda: len(api.requests) == 1)

        assert served.stop() == 0

        assert (embedded(notes), leased(notes)) == (20, 0)
        (finished,) = served.events("run_finished")
        assert finished["released"] == ROWS - 20


def test_a_bad_setting_is_told_in_a_sentence(
    notes: psycopg.Connection, url: str, api: OpenAIServer, tmp_path: Path
) -> None:
    with (
        pytest.raises(AssertionError, match="EVERVEC_MAX_ROWS must be"),
        serving(url, tmp_path / "log", api, EVERVEC_MAX_ROWS="0"),
    ):
        pass


def test_logs_hold_no_secret_and_no_text(
    notes: psycopg.Connection, url: str, api: OpenAIServer, tmp_path: Path
) -> None:
    with serving(url, tmp_path / "log", api) as served:
        ask(served, "/wake", served.headers)
        query = json.dumps({"source": "nowhere", "words": "a private matter"}).encode()
        ask(served, "/search", served.headers | {"Content-Type": "application/json"}, query)
        eventually(lambda: embedded(notes) == ROWS)
        served.stop()

        log = served.log.read_text()
    assert served.headers["Authorization"].removeprefix("Bearer ") not in log
    assert "private" not in log
    assert "note 1" not in log


def test_without_its_packages_it_says_which(program: Program, tmp_path: Path) -> None:
    (tmp_path / "flask_openapi3").mkdir()
    (tmp_path / "flask_openapi3" / "__init__.py").write_text(
        "raise ModuleNotFoundError('none', name='flask_openapi3')"
    )
    path = f"{tmp_path}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"

    done = program.run("serve", PYTHONPATH=path)

    assert done.code == 1
    assert "flask_openapi3, which is not installed" in done.err
    assert "evervec[webhook]" in done.err
