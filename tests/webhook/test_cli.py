"""The command line as a person and as a machine use it."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from evervec import embedded, migrate
from evervec.cli.program import program as root
from tests.support.openai_server import DIMENSIONS, Answer, OpenAIServer
from tests.webhook.conftest import Program

ROWS = [(1, "whales of the sea"), (2, "a clock in Prague"), (3, "samurai and swords")]


@pytest.fixture
def wired(program: Program, openai_server: OpenAIServer) -> Program:
    """The command line, with the local server as provider `openai`."""
    program.environment |= {"OPENAI_BASE_URL": openai_server.url, "OPENAI_API_KEY": "sk-test"}
    return program


@pytest.fixture
def notes(conn: psycopg.Connection) -> psycopg.Connection:
    """A table `note` of three rows, and a model `wire`; not yet tracked."""
    conn.execute("select evervec.add_model('wire', 'openai', %s)", [DIMENSIONS])
    conn.execute("create table note (id int primary key, title text)")
    with conn.cursor() as cursor:
        cursor.executemany("insert into note values (%s, %s)", ROWS)
    return conn


def track(program: Program) -> None:
    done = program.run("track", "public.note", "--columns", "title", "--model", "wire")
    assert done.code == 0, done.err


def wait_for(condition: Callable[[], bool], seconds: float) -> float:
    """Poll until it holds; how long that took."""
    started = time.monotonic()
    while not condition():
        assert time.monotonic() - started < seconds, f"not within {seconds} s"
        time.sleep(0.02)
    return time.monotonic() - started


@pytest.mark.parametrize("name", ["", *root.commands])
def test_every_command_has_a_help_with_an_example(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    from evervec.cli.program import run

    assert run([name, "--help"] if name else ["--help"]) == 0

    out = capsys.readouterr().out
    assert "Example" in out
    assert "evervec" in out
    assert max(len(line) for line in out.splitlines()) <= 100


def test_track_backfill_search_and_similar_from_a_shell(
    wired: Program, notes: psycopg.Connection
) -> None:
    track(wired)

    filled = wired.run("backfill", "note")
    found = wired.run("search", "note", "samurai", "swords", "--limit", "2")
    like = wired.run("similar", "note", "1", "-n", "1", "--json")

    assert filled.code == 0
    assert "Embedded 3 rows of note" in filled.out
    assert filled.err == ""
    assert found.out.splitlines()[1].split()[1] == "3"
    assert "Title: samurai and swords" in found.out
    (row,) = json.loads(like.out)
    assert row["key"] != {"id": 1}
    assert -1 <= row["similarity"] <= 1


def test_backfill_without_waiting_only_starts(wired: Program, notes: psycopg.Connection) -> None:
    track(wired)

    done = wired.run("backfill", "note", "--no-wait", "--json")

    assert json.loads(done.out)["source"] == "note"
    assert notes.execute("select count(*) from note_embedding").fetchone() == (0,)


def test_what_a_machine_reads_is_json(wired: Program, notes: psycopg.Connection) -> None:
    track(wired)

    drained = json.loads(wired.run("worker", "--drain", "--json").out)
    (status,) = json.loads(wired.run("--json", "status").out)
    (coverage,) = json.loads(wired.run("coverage", "note", "--json").out)
    migrated = json.loads(wired.run("migrate", "--json").out)

    assert drained["generated"] == 3
    assert (status["source"], status["pending"], status["index_state"]) == ("note", 0, "valid")
    assert (coverage["total"], coverage["percent"]) == (3, 100)
    assert migrated == {"applied": [], "mended": []}


def test_what_a_person_reads_are_tables(wired: Program, notes: psycopg.Connection) -> None:
    track(wired)
    wired.run("worker", "--drain")

    status = wired.run("status").out
    assert "valid" in status
    assert "≈ vectors" in status  # the one number that is an estimate
    assert "100.0 %" in wired.run("coverage").out
    assert "evervec_0001_tables" in wired.run("migrate", "--status").out


def test_control_characters_of_a_row_do_not_reach_the_terminal(
    wired: Program, notes: psycopg.Connection
) -> None:
    notes.execute("update note set title = E'samurai \\x1b[31mred [bold]' where id = 3")
    track(wired)
    wired.run("worker", "--drain")

    out = wired.run("search", "note", "samurai").out

    assert "\x1b" not in out
    assert "[bold]" in out


def test_a_reader_that_goes_away_is_no_error(wired: Program, notes: psycopg.Connection) -> None:
    track(wired)
    with wired.started("status", "--json") as process:
        assert process.stdout is not None
        process.stdout.close()
        assert process.stderr is not None
        err = process.stderr.read()
        process.wait(timeout=20)

    assert "Traceback" not in err


def test_untrack_keeps_the_vectors_unless_told(wired: Program, notes: psycopg.Connection) -> None:
    track(wired)
    wired.run("worker", "--drain")

    assert wired.run("untrack", "note").code == 0

    assert notes.execute("select count(*) from note_embedding").fetchone() == (3,)


def test_rollback_keeps_vectors_unless_told(wired: Program, notes: psycopg.Connection) -> None:
    track(wired)
    wired.run("worker", "--drain")

    refused = wired.run("rollback", "--all", "--yes")
    done = wired.run("rollback", "--all", "--drop-vectors", "--yes")

    assert (refused.code, "VE003" in refused.err) == (1, True)
    assert done.code == 0, done.err
    assert notes.execute("select to_regnamespace('evervec')").fetchone() == (None,)
    assert notes.execute("select count(*) from note").fetchone() == (3,)


def test_changes_are_found_within_two_seconds_while_a_worker_runs(
    wired: Program, notes: psycopg.Connection, openai_server: OpenAIServer
) -> None:
    track(wired)

    def titles(words: str) -> list[str]:
        from tests.support.openai_server import words_vector

        rows = notes.execute(
            "select n.title from evervec.find_similar('note', %s::real[]::vector, 1) f"
            " join note n on n.id = (f.row_key ->> 'id')::int where f.similarity > 0.9",
            [words_vector(words).tolist()],
        )
        return [title for (title,) in rows]

    with wired.started("worker"):
        wait_for(
            lambda: notes.execute("select count(*) from note_embedding").fetchone() == (3,), 20
        )
        time.sleep(1.5)  # at rest: the worker has backed off as far as it does

        notes.execute("insert into note values (4, 'penguins')")
        inserted = wait_for(lambda: titles("title penguins") == ["penguins"], 2)
        time.sleep(1.5)
        notes.execute("update note set title = 'robots' where id = 4")
        updated = wait_for(lambda: titles("title robots") == ["robots"], 2)
        notes.execute("delete from note where id = 4")
        deleted = wait_for(lambda: titles("title robots") == [], 2)

    assert max(inserted, updated, deleted) < 2


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_finishes_the_request_in_hand_releases_the_rest_and_exits_0(
    wired: Program,
    notes: psycopg.Connection,
    openai_server: OpenAIServer,
    number: signal.Signals,
) -> None:
    notes.execute("update evervec.model set batch_texts = 1 where name = 'wire'")
    track(wired)
    openai_server.rule(lambda _: Answer(slow=1))

    with wired.started("worker", EVERVEC_LOG_FORMAT="json") as process:
        wait_for(lambda: len(openai_server.requests) == 1, 20)
        process.send_signal(number)
        _, err = process.communicate(timeout=20)

    assert process.returncode == 0
    assert "Traceback" not in err
    assert notes.execute("select count(*) from note_embedding").fetchone() == (1,)
    rows = notes.execute(
        "select status, attempts, count(*) from evervec.processing_queue group by 1, 2"
    ).fetchall()
    assert rows == [("pending", 0, 2)]
    last = json.loads(err.splitlines()[-1])
    assert (last["event"], last["generated"], last["released"]) == ("finished", 1, 2)


def test_peer_15_a_killed_worker_loses_nothing(
    wired: Program, notes: psycopg.Connection, openai_server: OpenAIServer
) -> None:
    track(wired)
    openai_server.script(Answer(slow=5))
    with wired.started(
        "worker", EVERVEC_LEASE_SECONDS="2", EVERVEC_REQUEST_TIMEOUT="1.5"
    ) as process:
        wait_for(lambda: len(openai_server.requests) == 1, 20)
        process.kill()

    assert wired.run("worker", "--drain").code == 0

    assert notes.execute("select count(*) from note_embedding").fetchone() == (3,)


def test_an_idle_worker_stops_at_once(wired: Program, notes: psycopg.Connection) -> None:
    with wired.started("worker") as process:
        assert process.stderr is not None
        assert "started" in process.stderr.readline()
        time.sleep(0.5)
        process.terminate()
        started = time.monotonic()
        process.communicate(timeout=20)

    assert process.returncode == 0
    assert time.monotonic() - started < 1.5


def test_a_worker_survives_a_restart_of_the_server(
    openai_server: OpenAIServer, tmp_path: Path
) -> None:
    folder = tmp_path / "pgdata"
    try:
        url = embedded.prepare(embedded.start(folder))
        migrate.apply(url)
        with psycopg.connect(url, autocommit=True) as conn:
            conn.execute("select evervec.add_model('wire', 'openai', %s)", [DIMENSIONS])
            conn.execute("create table note (id int primary key, title text)")
            conn.execute("select evervec.track('note', p_columns => '{title}', p_model => 'wire')")
        program = Program(url)
        program.environment |= {"OPENAI_BASE_URL": openai_server.url}

        with program.started("worker") as process:
            assert process.stderr is not None
            assert "started" in process.stderr.readline()
            embedded.stop(folder)
            assert any("database_gone" in line for line in process.stderr)
            embedded.start(folder)
            with psycopg.connect(url, autocommit=True) as conn:
                conn.execute("insert into note values (1, 'whales')")
                wait_for(
                    lambda: conn.execute("select from note_embedding").fetchone() is not None, 20
                )
            process.terminate()
            _, err = process.communicate(timeout=20)

        assert process.returncode == 0
        assert "Traceback" not in err
    finally:
        embedded.stop(folder)


def test_the_offline_model_from_row_to_search(program: Program, conn: psycopg.Connection) -> None:
    conn.execute("create table film (id int primary key, title text)")
    conn.execute("insert into film values (1, 'Seven Samurai'), (2, 'A Christmas Carol')")

    assert program.run("track", "film", "--columns", "title").code == 0
    assert program.run("worker", "--drain").code == 0
    (first, _) = json.loads(program.run("search", "film", "Weihnachten", "--json").out)

    assert first["key"] == {"id": 2}
