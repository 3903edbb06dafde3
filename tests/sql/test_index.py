"""When the vector index of a source is due, and how its build shows."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

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


def vector_indexes(conn: psycopg.Connection) -> list[tuple[str, bool]]:
    """Name and validity of each index over the vectors."""
    found = rows(conn, "select x.* from evervec.source s, evervec.vector_indexes(s) x order by 1")
    return [(row["index"], row["valid"]) for row in found]


@pytest.mark.usefixtures("recent_pgvector")
@pytest.mark.parametrize("former", [False, True], ids=["the first", "in the place of another"])
@pytest.mark.parametrize("place", ["before", "meanwhile", "after"])
def test_peer_26_a_build_is_killed_doctor_tells_and_one_valid_index_is_left(
    filled: psycopg.Connection,
    superuser_conn: psycopg.Connection,
    url: str,
    place: str,
    former: bool,
) -> None:
    options = '{"m": 100, "ef_construction": 1000}'
    if former:
        filled.execute("select evervec.build_index('film')")
    filled.execute("select evervec.retrack('film', p_index_options => %s)", [options])
    drain(filled)
    if place == "meanwhile":
        filled.execute(
            "insert into film_embedding (content_hash, model_id, embedding, id)"
            " select '', 1, array[random(), random(), random(), random()]::vector, g"
            "   from generate_series(1000, 4000) g"
        )
    phase = "select phase from pg_stat_progress_create_index where datname = current_database()"
    with (
        psycopg.connect(url, autocommit=True) as builder,
        psycopg.connect(url) as writer,
        psycopg.connect(url) as reader,
    ):
        if place == "before":
            writer.execute("lock table film_embedding in row exclusive mode")
        if place == "after":
            reader.execute("set transaction isolation level repeatable read")
            reader.execute("select")
        statement = value(filled, BUILD)
        built = threading.Thread(target=_ends, args=(builder, statement))
        built.start()
        reached = {
            "before": "waiting for writers before build",
            "meanwhile": "building index: loading tuples",
            "after": "waiting for old snapshots",
        }
        until(lambda: [row["phase"] for row in rows(superuser_conn, phase)] == [reached[place]])
        superuser_conn.execute("select pg_terminate_backend(%s)", [builder.info.backend_pid])
        built.join(timeout=20)
        writer.rollback()
        reader.rollback()
    until(lambda: not rows(superuser_conn, phase))
    assert [valid for _, valid in vector_indexes(filled)] == [True] * former + [False]
    filled.execute("delete from film_embedding where id >= 1000")

    (finding,) = rows(filled, "select finding, remedy from evervec.doctor()")
    assert finding["finding"] == "invalid index"
    filled.execute(finding["remedy"])

    ((_, valid),) = vector_indexes(filled)
    assert valid
    assert rows(filled, "select from evervec.doctor()") == []
    assert value(filled, BUILD) is None


def _ends(conn: psycopg.Connection, statement: str) -> None:
    with suppress(psycopg.OperationalError):
        conn.execute(statement)


@pytest.mark.usefixtures("recent_pgvector")
def test_peer_26_nobody_begins_what_another_builds(filled: psycopg.Connection, url: str) -> None:
    with psycopg.connect(url) as writer:
        writer.execute("lock table film_embedding in row exclusive mode")
        with building(filled, url):
            told = (due(filled), value(filled, BUILD), rows(filled, "select from evervec.doctor()"))
            writer.rollback()

    assert told == ([], None, [])


@pytest.mark.usefixtures("recent_pgvector")
def test_peer_26_nobody_drops_what_a_reindex_is_building(
    filled: psycopg.Connection, superuser_conn: psycopg.Connection, url: str
) -> None:
    filled.execute("select evervec.build_index('film')")
    phase = "select phase from pg_stat_progress_create_index where datname = current_database()"
    with psycopg.connect(url) as writer, psycopg.connect(url, autocommit=True) as other:
        writer.execute("lock table film_embedding in row exclusive mode")
        reindex = ("reindex index concurrently film_embedding_embedding_idx",)
        thread = threading.Thread(target=other.execute, args=reindex)
        thread.start()
        until(lambda: bool(rows(superuser_conn, phase)))
        assert [valid for _, valid in vector_indexes(filled)] == [True, False]
        told = (due(filled), value(filled, BUILD), rows(filled, "select from evervec.doctor()"))
        again = value(filled, "select evervec.index_statement('film', p_rebuild => true)")
        writer.rollback()
        thread.join(timeout=20)

    assert (*told, again) == ([], None, [], None)
    assert [valid for _, valid in vector_indexes(filled)] == [True]


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
                evervec.index_of, evervec.running_build, evervec.vector_indexes,
                evervec.estimated_rows to {watcher};
            """
        )
        writer.execute("lock table film_embedding in row exclusive mode")
        with building(filled, url):
            superuser_conn.execute(f"set role {watcher}")
            told = state(superuser_conn)
            superuser_conn.execute("reset role")
            writer.rollback()

    assert told == ("building", None)
