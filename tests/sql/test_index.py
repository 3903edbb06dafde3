"""When the vector index of a source is due, and how its build shows."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest

from tests.support.roles import role
from tests.support.sessions import until
from tests.support.sql_worker import claim, drain, rows, value

BUILD = "select evervec.index_statement('film')"


@pytest.fixture
def filled(film: psycopg.Connection) -> psycopg.Connection:
    """A hundred films, embedded, counted, without an index."""
    film.execute("insert into film select g, 'Film ' || g, 2000 from generate_series(11, 100) g")
    drain(film)
    film.execute("analyze film_embedding")
    return film


def due(conn: psycopg.Connection) -> list[str]:
    return [row["due_indexes"] for row in rows(conn, "select evervec.due_indexes()")]


def state(conn: psycopg.Connection) -> tuple[str, float | None]:
    (row,) = rows(conn, "select index_state, index_progress::float8 from evervec.status")
    return row["index_state"], row["index_progress"]


def wait_over(conn: psycopg.Connection) -> None:
    """The last pass moved sixteen minutes ago."""
    conn.execute("update evervec.source set pass_at = pass_at - interval '16 minutes'")


@pytest.mark.parametrize(
    ("change", "wanted"),
    [
        ("select", True),
        ("update film set title = 'x' where id <= 5", True),
        ("update film set title = 'x' where id <= 6", False),
        ("update film set title = 'x' where id <= 6; select evervec.fold()", False),
        ("select evervec.backfill('film')", False),
        ("truncate film_embedding", False),
        ("select evervec.build_index('film')", False),
        ("update evervec.source set index_method = 'none', search_method = 'none'", False),
        ("drop table film, film_embedding cascade", False),
    ],
)
def test_an_index_is_due_when_nearly_everything_is_embedded(
    filled: psycopg.Connection, change: str, wanted: bool
) -> None:
    filled.execute(change)
    assert due(filled) == ["film"] * wanted


def test_a_lease_is_work_that_is_left(filled: psycopg.Connection) -> None:
    filled.execute("update film set title = 'x' where id <= 6")
    assert len(claim(filled)) == 6

    assert due(filled) == []


def test_an_invalid_index_is_due(
    filled: psycopg.Connection, superuser_conn: psycopg.Connection
) -> None:
    filled.execute("select evervec.build_index('film')")
    superuser_conn.execute(
        "update pg_index set indisvalid = false"
        " where indexrelid = 'film_embedding_embedding_idx'::regclass"
    )

    assert due(filled) == ["film"]
    assert state(filled) == ("invalid", None)


def test_only_the_sources_that_are_asked_for_are_told(filled: psycopg.Connection) -> None:
    assert value(filled, "select count(*) from evervec.due_indexes('{film}')") == 1
    assert value(filled, "select count(*) from evervec.due_indexes('{other}')") == 0


@pytest.mark.parametrize(
    "backlog", ["update film set title = 'x'", "select evervec.backfill('film')"]
)
def test_peer_26_a_queue_that_stays_long_puts_the_index_off_for_a_while_only(
    filled: psycopg.Connection, backlog: str
) -> None:
    filled.execute(backlog)
    assert due(filled) == []

    wait_over(filled)

    assert due(filled) == ["film"]


def test_peer_26_a_backfill_that_moves_is_waited_for_however_long_it_takes(
    filled: psycopg.Connection,
) -> None:
    filled.execute("select evervec.backfill('film')")
    wait_over(filled)

    one_slice = "select evervec.feed(50, array_agg(source_id)) from evervec.source"
    assert value(filled, one_slice) == 50

    assert due(filled) == []


@pytest.mark.usefixtures("recent_pgvector")
def test_peer_26_an_index_that_is_missing_under_steady_writes_is_told(
    filled: psycopg.Connection,
) -> None:
    filled.execute("update evervec.setting set value = '100' where name ~ 'without_index'")
    filled.execute("update film set title = 'x'")
    alerts = "select alert, remedy from evervec.alerts"
    findings = "select finding, remedy from evervec.doctor()"
    assert (rows(filled, alerts), rows(filled, findings)) == ([], [])

    wait_over(filled)

    (alert,), (finding,) = rows(filled, alerts), rows(filled, findings)
    assert (alert["alert"], finding["finding"]) == ("index not built", "missing index")
    filled.execute(alert["remedy"])
    assert (rows(filled, alerts), rows(filled, findings)) == ([], [])


@contextmanager
def building(conn: psycopg.Connection, url: str) -> Iterator[None]:
    """The index is being built by another session; at the end of the block it is waited for."""
    statement = value(conn, BUILD)
    with psycopg.connect(url, autocommit=True) as builder:
        thread = threading.Thread(target=builder.execute, args=(statement,))
        thread.start()
        until(lambda: state(conn)[0] == "building")
        try:
            yield
        finally:
            thread.join(timeout=20)


def test_peer_26_a_build_shows_its_progress(filled: psycopg.Connection, url: str) -> None:
    with psycopg.connect(url) as writer, psycopg.connect(url) as reader:
        # The build waits for the writer before it begins, and for the reader before it ends.
        writer.execute("lock table film_embedding in row exclusive mode")
        reader.execute("set transaction isolation level repeatable read")
        reader.execute("select")
        with building(filled, url):
            assert state(filled) == ("building", 0)
            writer.rollback()
            until(lambda: state(filled) == ("building", 0.99))
            reader.rollback()

    assert state(filled) == ("valid", None)


@pytest.mark.usefixtures("recent_pgvector")
def test_peer_26_nobody_begins_what_another_builds(filled: psycopg.Connection, url: str) -> None:
    with psycopg.connect(url) as writer:
        writer.execute("lock table film_embedding in row exclusive mode")
        with building(filled, url):
            told = (due(filled), value(filled, BUILD), rows(filled, "select from evervec.doctor()"))
            writer.rollback()

    assert told == ([], None, [])


def test_a_vacuum_is_no_build(
    filled: psycopg.Connection, superuser_conn: psycopg.Connection
) -> None:
    filled.execute("select evervec.build_index('film')")
    superuser_conn.execute(
        "update pg_index set indisvalid = false"
        " where indexrelid = 'film_embedding_embedding_idx'::regclass"
    )
    with superuser_conn.transaction():
        superuser_conn.execute("lock table film_embedding in share update exclusive mode")

        assert state(filled) == ("invalid", None)
        assert value(filled, BUILD).startswith("drop index")


def test_a_role_that_may_not_see_how_far_a_build_is_sees_that_there_is_one(
    filled: psycopg.Connection, superuser_conn: psycopg.Connection, url: str
) -> None:
    with role(superuser_conn) as watcher, psycopg.connect(url) as writer:
        filled.execute(
            f"""
            grant usage on schema evervec to {watcher}; grant select on evervec.status to {watcher};
            grant execute on function
                evervec.index_of, evervec.vector_indexes, evervec.estimated_rows to {watcher};
            """
        )
        writer.execute("lock table film_embedding in row exclusive mode")
        with building(filled, url):
            superuser_conn.execute(f"set role {watcher}")
            told = state(superuser_conn)
            superuser_conn.execute("reset role")
            writer.rollback()

    assert told == ("building", None)
