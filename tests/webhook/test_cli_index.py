"""evervec index, recall and tune, as they are typed; and builds that are killed."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from subprocess import Popen
from typing import Any

import psycopg
import pytest

from evervec.cli.index import time_left
from tests.sql.test_recall import source
from tests.support.sessions import until
from tests.support.sql_worker import rows, value
from tests.webhook.conftest import Program

# A build of a second or so, which can be caught at it.
SLOW = """p_index_options => '{"m": 100, "ef_construction": 1000}'"""
FAST = "p_index => 'hnsw'"


def states(program: Program, *arguments: str) -> list[dict[str, Any]]:
    done = program.run("index", "status", "--json", *arguments)
    assert done.code == 0, done.err
    found: list[dict[str, Any]] = json.loads(done.out)
    return found


def test_the_status_of_every_index_from_missing_to_valid(
    program: Program, conn: psycopg.Connection
) -> None:
    source(conn, 500, options="p_text_search => 'simple'", storage="table", build=False)
    # That of the words of a table that was empty stands already.
    conn.execute("drop index item_embedding_document_idx")

    (vectors, words) = states(program, "item")
    assert (vectors["state"], vectors["method"], vectors["precision"]) == (
        "missing",
        "hnsw",
        "full",
    )
    assert (words["covers"], words["state"], words["method"]) == ("words", "missing", "gin")
    assert 500 * 16 * 4 < vectors["build_bytes"] < 500 * 1500

    assert program.run("index", "build").code == 0
    conn.execute("update evervec.source set search_effort = 55")

    (vectors, words) = states(program)
    assert (vectors["state"], vectors["effort"], vectors["rows"]) == ("valid", 55, 500)
    assert vectors["index"] == "item_embedding_embedding_idx"
    assert vectors["bytes"] > 8192
    assert words["state"] == "valid"
    told = program.run("index", "status").out
    assert "item_embedding_embedding_idx" in told
    assert "valid" in told


def test_a_former_index_and_one_that_is_not_wanted_are_told(
    program: Program, conn: psycopg.Connection
) -> None:
    source(conn, 300)
    conn.execute("select evervec.retrack('item', p_precision => 'half')")
    former, wanted = states(program)
    assert (former["state"], former["precision"]) == ("former", "full")
    assert (wanted["state"], wanted["precision"]) == ("missing", "half")

    conn.execute("select evervec.retrack('item', p_index => 'none')")
    conn.execute("drop index item_embedding_embedding_idx")
    (none,) = states(program)
    assert (none["state"], none["build_bytes"]) == ("none", None)
    assert "wants no index" in program.run("index", "build", "item").out


def test_unknown_sources_are_told(program: Program, conn: psycopg.Connection) -> None:
    for command in ("index status", "index build", "index rebuild", "recall", "tune"):
        done = program.run(*command.split(), "nowhere")
        assert (done.code, "VE101" in done.err) == (1, True), command
    assert "No table is tracked yet" in program.run("index", "status").out


def test_build_is_quiet_in_a_pipe_and_says_what_stands(
    program: Program, conn: psycopg.Connection
) -> None:
    source(conn, 300, build=False)

    built = program.run("index", "build")
    again = program.run("index", "build", "item", "--json")

    assert (built.code, built.err) == (0, "")
    assert built.out.startswith("item: item_embedding_embedding_idx (")
    assert "was built in 0:0" in built.out
    (told,) = json.loads(again.out)
    assert (told["source"], told["built"], told["advice"]) == ("item", False, [])
    assert told["indexes"][0]["state"] == "valid"


def test_rebuild_makes_another_index_of_the_same_name(
    program: Program, conn: psycopg.Connection
) -> None:
    source(conn, 300, build=False)
    file = "select pg_relation_filenode('item_embedding_embedding_idx')"

    # One that is missing is built once.
    assert program.run("index", "rebuild", "item").code == 0
    before = value(conn, file)
    assert program.run("index", "rebuild", "item").code == 0

    assert value(conn, file) != before
    assert [state["state"] for state in states(program)] == ["valid"]


def test_memory_that_does_not_suffice_is_told_with_what_to_set(
    program: Program, conn: psycopg.Connection
) -> None:
    source(conn, 3000, options=FAST, build=False)

    told = program.run("index", "build", PGOPTIONS="-c maintenance_work_mem=1MB").out
    assert "maintenance_work_mem is 1 MB" in told
    assert "SET maintenance_work_mem = '3MB';" in told
    assert 'PGOPTIONS="-c maintenance_work_mem=3MB"' in told

    # Where nothing is built, nothing is advised; with what was advised, neither.
    again = program.run("index", "build", PGOPTIONS="-c maintenance_work_mem=1MB").out
    assert "maintenance_work_mem" not in again
    enough = program.run("index", "rebuild", "item", PGOPTIONS="-c maintenance_work_mem=3MB").out
    assert "maintenance_work_mem" not in enough


def test_lists_that_need_more_memory_than_there_is_are_told(
    program: Program, conn: psycopg.Connection
) -> None:
    lists = "p_index => 'ivfflat', p_index_options => '{\"lists\": 1000}'"
    source(conn, 3000, options=lists, build=False)

    told = program.run("index", "build", PGOPTIONS="-c maintenance_work_mem=1MB")

    assert "the build may fail" in told.out
    assert (told.code, "memory required" in told.err) == (1, True)
    (memory,) = [line for line in told.out.splitlines() if "SET maint" in line]
    setting = memory.split('"')[1]
    assert program.run("index", "build", PGOPTIONS=setting).code == 0


def test_a_progress_bar_where_a_terminal_is(program: Program, conn: psycopg.Connection) -> None:
    source(conn, 500, options=SLOW, build=False)
    ours, theirs = os.openpty()
    shown = bytearray()

    def read() -> None:
        # Until the last program that writes to it has gone.
        with suppress(OSError):
            while data := os.read(ours, 4096):
                shown.extend(data)

    with program.started(
        "index", "build", "item", stderr=theirs, COLUMNS="120", TERM="xterm"
    ) as process:
        os.close(theirs)
        read()
        assert process.wait(timeout=60) == 0

    text = shown.decode(errors="replace")
    assert "indexing item" in text
    assert "building index" in text


@pytest.mark.parametrize(
    ("samples", "left"),
    [
        ([(0.0, 0.2)], ""),
        ([(0.0, 0.2), (5.0, 0.2)], ""),
        ([(0.0, 0.2), (10.0, 0.4)], ", 0:30 left"),
    ],
)
def test_the_time_that_is_left_is_that_at_the_rate_of_late(
    samples: list[tuple[float, float]], left: str
) -> None:
    assert time_left(samples) == left


BUILDS = "pg_stat_progress_create_index where datname = current_database()"
PHASE = f"select phase, pid from {BUILDS} and phase = %s"
REACHED = {
    "before": "waiting for writers before build",
    "meanwhile": "building index: loading tuples",
    "after": "waiting for old snapshots",
    # Only of REINDEX: the new one is valid already, the former not gone yet.
    "last": "waiting for readers before marking dead",
}


@contextmanager
def caught(
    program: Program, superuser_conn: psycopg.Connection, url: str, command: str, place: str
) -> Iterator[tuple[Popen[str], int, Callable[[], None]]]:
    """The command, its backend, caught at that place, and how to let it go on.

    It goes on at the end of the block, too.
    """
    with psycopg.connect(url) as writer, psycopg.connect(url) as reader:
        if place == "before":
            writer.execute("lock table item_embedding in row exclusive mode")
        elif place == "after":
            reader.execute("set transaction isolation level repeatable read")
            reader.execute("select")
        elif place == "last":
            reader.execute("lock table item_embedding in access share mode")
        with program.started("index", command, "item") as process:
            until(lambda: bool(rows(superuser_conn, PHASE, REACHED[place])))
            (build,) = rows(superuser_conn, f"select pid from {BUILDS}")

            def release() -> None:
                writer.rollback()
                reader.rollback()

            yield process, build["pid"], release
            release()
            process.kill()


def ended(superuser_conn: psycopg.Connection, backend: int) -> None:
    superuser_conn.execute("select pg_terminate_backend(%s)", [backend])
    gone = "select count(*) from pg_stat_activity where pid = %s"
    until(lambda: value(superuser_conn, gone, backend) == 0)


def one_valid_index_is_left_by_rebuild(program: Program, conn: psycopg.Connection) -> None:
    """Doctor tells, rebuild mends, nothing is left over."""
    conn.execute("delete from item_embedding where id >= 50")
    (finding,) = rows(conn, "select finding from evervec.doctor('item')")
    assert finding["finding"] == "invalid index"
    assert "invalid" in [state["state"] for state in states(program)]

    done = program.run("index", "rebuild", "item")

    assert done.code == 0, done.err
    left = rows(
        conn,
        "select i.indexrelid::regclass::text as index, i.indisvalid from pg_index i"
        " where i.indrelid = 'item_embedding'::regclass and not i.indisprimary",
    )
    assert left == [{"index": "item_embedding_embedding_idx", "indisvalid": True}]
    assert rows(conn, "select from evervec.doctor('item')") == []
    assert value(conn, "select evervec.index_statement('item')") is None


@pytest.mark.parametrize("place", ["before", "meanwhile", "after"])
def test_peer_26_the_program_that_builds_is_killed_and_then_its_build(
    program: Program,
    conn: psycopg.Connection,
    superuser_conn: psycopg.Connection,
    url: str,
    place: str,
) -> None:
    source(conn, 1000, options=SLOW if place == "meanwhile" else FAST, build=False)
    with caught(program, superuser_conn, url, "build", place) as (process, backend, _):
        process.kill()
        process.wait()
        # The server has not noticed, and builds on.
        assert value(conn, "select state from evervec.index_status('item')") == "building"
        ended(superuser_conn, backend)

    one_valid_index_is_left_by_rebuild(program, conn)


@pytest.mark.parametrize("place", ["before", "meanwhile", "after", "last"])
def test_peer_26_a_rebuild_is_ended_and_the_former_index_serves_until_the_next_one(
    program: Program,
    conn: psycopg.Connection,
    superuser_conn: psycopg.Connection,
    url: str,
    place: str,
) -> None:
    source(conn, 1000, options=SLOW if place == "meanwhile" else FAST)
    with caught(program, superuser_conn, url, "rebuild", place) as (process, backend, _):
        assert value(conn, "select index_state from evervec.status") == "valid"
        ended(superuser_conn, backend)
        assert process.wait(timeout=60) == 1

    valid = [state["state"] for state in states(program)].count("valid")
    assert valid == 1
    one_valid_index_is_left_by_rebuild(program, conn)


def test_peer_26_a_build_that_goes_on_without_its_program_is_waited_for(
    program: Program, conn: psycopg.Connection, superuser_conn: psycopg.Connection, url: str
) -> None:
    source(conn, 50, build=False)
    with caught(program, superuser_conn, url, "build", "before") as (process, _, release):
        process.kill()
        process.wait()
        with program.started("index", "build", "item") as second:
            sees = (
                "select count(*) from pg_stat_activity where datname = current_database()"
                " and query ~ 'evervec.index_status'"
            )
            until(lambda: value(superuser_conn, sees) > 0)
            assert second.poll() is None
            assert value(superuser_conn, f"select count(*) from {BUILDS}") == 1
            release()
            assert second.wait(timeout=60) == 0

    assert [state["state"] for state in states(program)] == ["valid"]


def test_a_build_that_is_interrupted_says_how_to_go_on(
    program: Program, conn: psycopg.Connection, superuser_conn: psycopg.Connection, url: str
) -> None:
    source(conn, 50, build=False)
    with caught(program, superuser_conn, url, "build", "before") as (process, _, _):
        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=60)

    assert process.returncode == 1
    assert "HINT:  Go on with: evervec index build item" in told
    assert program.run("index", "build", "item").code == 0
    assert [state["state"] for state in states(program)] == ["valid"]
