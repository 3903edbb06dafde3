"""Manual storage: the application brings the vectors; evervec guards them and never makes one."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import psycopg
import pytest

from tests.support.sql_worker import add_toy_model, drain, raises, rows, value

PUT = "select evervec.put_embedding('place', %s::jsonb, %s::vector)"
ONE, TWO = "[1,0,0,0]", "[0,1,0,0]"


@pytest.fixture
def place(conn: psycopg.Connection) -> psycopg.Connection:
    """A connection to a database that tracks place(id, name), three rows, with manual storage."""
    add_toy_model(conn)
    conn.execute(
        """
        create table place (id integer primary key, name text);
        insert into place values (1, 'Prague'), (2, 'Oslo'), (3, 'Lima');
        select evervec.track('place', p_model => 'toy', p_storage => 'manual');
        """
    )
    return conn


@pytest.fixture
def other(url: str) -> Iterator[psycopg.Connection]:
    """A second session."""
    with psycopg.connect(url) as connection:
        yield connection
        connection.rollback()


def vectors(conn: psycopg.Connection) -> dict[int, str]:
    return {
        r["id"]: r["v"] for r in rows(conn, "select id, embedding::text v from place_embedding")
    }


def put(conn: psycopg.Connection, key: int, vector: str = ONE) -> None:
    conn.execute(PUT, [f'{{"id": {key}}}', vector])


def test_a_vector_is_put_got_replaced_and_deleted(place: psycopg.Connection) -> None:
    get = "select * from evervec.get_embedding('place', '{\"id\": 1}')"

    put(place, 1)
    place.execute(
        "select evervec.put_embedding('place', %s, %s, p_metadata => %s)",
        ['{"id": "1"}', TWO, '{"by": "me"}'],
    )
    (found,) = rows(place, get)
    deleted = [
        value(place, "select evervec.delete_embedding('place', '{\"id\": 1}')") for _ in range(2)
    ]

    assert (found["row_key"], found["model"]) == ({"id": 1}, "toy")
    assert (str(found["embedding"]), found["metadata"]) == (TWO, {"by": "me"})
    assert found["updated_at"] is not None
    assert deleted == [True, False]
    assert rows(place, get) == []


def test_a_batch_passes_over_keys_without_a_row_and_the_last_of_a_key_counts(
    place: psycopg.Connection,
) -> None:
    stored = value(
        place,
        "select evervec.put_embeddings('place', %s::jsonb[], %s::vector[])",
        ['{"id": 2}', '{"id": 9}', '{"id": 1}', '{"id": 2}'],
        [ONE, ONE, ONE, TWO],
    )
    got = rows(
        place,
        "select * from evervec.get_embeddings('place', %s::jsonb[])",
        ['{"id": 2}', '{"id": 3}', '{"id": 1}'],
    )
    removed = value(
        place,
        "select evervec.delete_embeddings('place', %s::jsonb[])",
        ['{"id": 2}', '{"id": 3}', '{"id": 1}'],
    )

    assert stored == 3
    assert [(g["row_key"]["id"], str(g["embedding"])) for g in got] == [(2, TWO), (1, ONE)]
    assert removed == 2
    assert vectors(place) == {}


def test_search_finds_what_was_put(place: psycopg.Connection) -> None:
    put(place, 1, ONE)
    put(place, 2, TWO)

    found = rows(place, "select * from evervec.find_similar('place', '[0,1,0.1,0]', p_limit => 1)")

    assert [f["row_key"] for f in found] == [{"id": 2}]


@pytest.mark.parametrize(
    ("call", "state", "message"),
    [
        ("put_embedding('nowhere', '{\"id\": 1}', '[1,0,0,0]')", "VE101", "nowhere"),
        ("put_embedding('place', '{\"id\": 1}', '[1,0,0]')", "VE201", "3 dimensions, not 4"),
        ("put_embedding('place', '{\"id\": 1}', '[0,0,0,0]')", "VE201", "zero"),
        ("put_embedding('place', '{\"id\": 1}', null)", "VE201", "NULL"),
        ("put_embedding('place', '{\"id\": 1}', '[1,0,0,0]', 'none')", "VE108", "none"),
        ("put_embedding('place', '{\"id\": 1}', '[1,0,0,0]', 'wide')", "VE109", "does not fit"),
        ("put_embedding('place', '{\"no\": 1}', '[1,0,0,0]')", "VE202", "not a key"),
        ("put_embedding('place', '{\"id\": \"x\"}', '[1,0,0,0]')", "VE202", "not a key"),
        ("put_embedding('place', null, '[1,0,0,0]')", "VE202", "not a key"),
        ("put_embedding('place', '{\"id\": 9}', '[1,0,0,0]')", "VE206", "no row"),
        (
            "put_embedding('place', '{\"id\": 1}', '[1,0,0,0]', p_metadata => '[1]')",
            "VE111",
            "not a JSON object",
        ),
        (
            "put_embeddings('place', '{\"{\\\"id\\\": 1}\"}', '{}'::vector[])",
            "VE111",
            "not of the same number",
        ),
        ("delete_embedding('place', '{\"no\": 1}')", "VE202", "not a key"),
        ("get_embedding('place', '{\"no\": 1}')", "VE202", "not a key"),
    ],
)
def test_what_is_wrong_is_refused_with_its_reason(
    place: psycopg.Connection, call: str, state: str, message: str
) -> None:
    place.execute("select evervec.add_model('wide', 'toy', 8)")

    with raises(place, state, message):
        place.execute(f"select evervec.{call}".encode())

    assert vectors(place) == {}


def test_a_model_of_as_many_dimensions_may_bring_the_vector(place: psycopg.Connection) -> None:
    add_toy_model(place, "twin")

    place.execute("select evervec.put_embedding('place', '{\"id\": 1}', %s, 'twin')", [ONE])

    got = "select model from evervec.get_embedding('place', '{\"id\": 1}')"
    assert value(place, got) == "twin"


def test_a_zero_vector_is_good_where_distance_is_not_an_angle(conn: psycopg.Connection) -> None:
    add_toy_model(conn)
    conn.execute(
        """
        create table place (id integer primary key);
        insert into place values (1);
        select evervec.track('place', p_model => 'toy', p_storage => 'manual', p_distance => 'l2');
        """
    )

    put(conn, 1, "[0,0,0,0]")

    assert vectors(conn) == {1: "[0,0,0,0]"}


def test_vectors_that_evervec_makes_are_read_but_not_written(film: psycopg.Connection) -> None:
    drain(film)
    calls = (
        "put_embedding('film', '{\"id\": 1}', '[1,0,0,0]')",
        "delete_embedding('film', '{\"id\": 1}')",
    )

    for call in calls:
        with raises(film, "VE205", "not written by hand"):
            film.execute(f"select evervec.{call}".encode())
    (found,) = rows(film, "select * from evervec.get_embedding('film', '{\"id\": 1}')")

    assert (found["model"], found["metadata"]) == ("toy", {})


def test_a_vector_in_a_column_is_read(conn: psycopg.Connection) -> None:
    add_toy_model(conn)
    conn.execute(
        """
        create table film (id integer primary key, title text);
        insert into film values (1, 'Alien'), (2, null);
        select evervec.track('film', '{title}', p_model => 'toy', p_storage => 'column');
        """
    )
    drain(conn)

    got = rows(
        conn, 'select * from evervec.get_embeddings(\'film\', \'{"{\\"id\\":1}","{\\"id\\":2}"}\')'
    )

    assert [(g["row_key"], g["model"]) for g in got] == [({"id": 1}, "toy")]
    assert got[0]["updated_at"] is not None


def test_nothing_is_embedded_anew_whatever_changes(place: psycopg.Connection) -> None:
    put(place, 1)

    place.execute(
        "update place set name = 'Praha' where id = 1; insert into place values (4, 'Rome')"
    )
    states = drain(place).states
    place.execute("select * from evervec.reconcile('place')")

    assert drain(place).states["embed"] == states["embed"] == 0
    assert vectors(place) == {1: ONE}


def test_a_vector_goes_with_its_row_and_with_its_key(place: psycopg.Connection) -> None:
    for key in (1, 2, 3):
        put(place, key)

    place.execute("delete from place where id = 1; update place set id = 20 where id = 2")
    drain(place)

    assert vectors(place) == {3: ONE}
    place.execute("truncate place")
    assert vectors(place) == {}


def test_a_vector_put_again_for_a_row_that_came_back_is_not_swept(
    place: psycopg.Connection,
) -> None:
    put(place, 1)

    place.execute("delete from place where id = 1; insert into place values (1, 'Prague')")
    put(place, 1, TWO)
    drain(place)

    assert vectors(place) == {1: TWO}


def test_reconcile_sweeps_vectors_of_rows_that_went_unnoticed(
    place: psycopg.Connection,
) -> None:
    put(place, 1)
    put(place, 2)
    place.execute("set evervec.bypass = on; delete from place where id = 1; reset evervec.bypass")

    found = rows(place, "select * from evervec.reconcile('place')")
    drain(place)

    assert found[0]["orphaned"] == 1
    assert vectors(place) == {2: ONE}


def test_a_row_that_somebody_holds_is_waited_for_two_seconds(
    place: psycopg.Connection, other: psycopg.Connection
) -> None:
    other.execute("select * from place where id = 1 for update")
    started = time.monotonic()

    with raises(place, "55P03", "stays locked"):
        put(place, 1)

    assert 1.8 < time.monotonic() - started < 5
    assert vectors(place) == {}


def test_a_row_that_is_updated_meanwhile_is_not_waited_for(
    place: psycopg.Connection, other: psycopg.Connection
) -> None:
    other.execute("update place set name = 'Praha' where id = 1")

    put(place, 1)

    assert vectors(place) == {1: ONE}


def test_a_row_that_is_deleted_meanwhile_gets_no_vector(
    place: psycopg.Connection, other: psycopg.Connection
) -> None:
    other.execute("delete from place where id = 1")
    threading.Timer(0.3, other.commit).start()

    with raises(place, "VE206", "no row"):
        put(place, 1)

    assert vectors(place) == {}


def test_a_delete_waits_for_the_vector_that_is_being_put(
    place: psycopg.Connection, other: psycopg.Connection
) -> None:
    other.execute(PUT, ['{"id": 1}', ONE])
    threading.Timer(0.3, other.commit).start()

    place.execute("delete from place where id = 1")
    drain(place)

    assert vectors(place) == {}


def test_any_key_is_put(conn: psycopg.Connection) -> None:
    add_toy_model(conn)
    conn.execute(
        """
        create table visit ("at" timestamptz, "Place" text, primary key ("Place", "at"));
        insert into visit values ('2026-01-01 12:00+02', 'it''s');
        select evervec.track('visit', p_model => 'toy', p_storage => 'manual');
        set timezone = 'Asia/Kolkata';
        """
    )

    conn.execute(
        "select evervec.put_embedding('visit', %s, %s)",
        ['{"Place": "it\'s", "at": "2026-01-01 10:00Z"}', ONE],
    )

    assert value(conn, "select count(*) from visit_embedding") == 1
    conn.execute("delete from visit")
    assert value(conn, "select count(*) from visit_embedding") == 0
