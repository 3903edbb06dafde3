"""Interactions: what users did with rows, once each, a partition a month."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest

from tests.support.cluster import Database
from tests.support.roles import role, session_of
from tests.support.sessions import sessions
from tests.support.sql_worker import Row, raises, rows, value


def record(conn: psycopg.Connection, user: str | None = "ada", film: Any = 1, **more: Any) -> int:
    """Record a view of a film; the interaction's id."""
    given = {"type": "view", "row_key": json.dumps({"id": film}), "source": "film", **more}
    names = ", ".join(f"p_{name} => %s" for name in given)
    recorded: int = value(
        conn, f"select evervec.record_interaction(p_user => %s, {names})", user, *given.values()
    )
    return recorded


def record_all(conn: psycopg.Connection, *interactions: Any) -> int:
    recorded: int = value(
        conn, "select evervec.record_interactions(%s::jsonb)", json.dumps(interactions)
    )
    return recorded


def view(film: int = 1, **more: Any) -> Row:
    return {"user": "ada", "source": "film", "row_key": {"id": film}, "type": "view", **more}


def interactions(conn: psycopg.Connection) -> list[Row]:
    return rows(conn, "select * from evervec.interaction order by interaction_id")


def marks(conn: psycopg.Connection) -> dict[int, str]:
    found = rows(conn, "select row_key, mark from evervec.row_mark where user_id = 'ada'")
    return {row["row_key"]["id"]: row["mark"] for row in found}


def test_an_interaction_is_recorded_with_its_key_in_canonical_form(
    film: psycopg.Connection,
) -> None:
    recorded = record(film, film="7", type="rating", value=4.5, context='{"page": "home"}')

    [row] = interactions(film)
    assert row["interaction_id"] == recorded
    assert (row["user_id"], row["row_key"], row["type"]) == ("ada", {"id": 7}, "rating")
    assert (row["value"], row["context"]) == (4.5, {"page": "home"})


def test_a_row_need_not_exist_and_a_search_has_none(film: psycopg.Connection) -> None:
    record(film, film=4711)
    record(film, type="search", row_key=None, context='{"words": "western"}')
    assert [row["row_key"] for row in interactions(film)] == [{"id": 4711}, None]


def test_a_key_that_was_seen_records_nothing_and_returns_the_id_of_then(
    film: psycopg.Connection,
) -> None:
    first = record(film, key="click 1")
    assert record(film, key="click 1", film=2) == first
    assert record(film, user="bob", key="click 1") != first
    assert record(film) != record(film)
    assert len(interactions(film)) == 4


def test_two_who_record_the_same_key_at_once_record_it_once(
    film: psycopg.Connection, url: str
) -> None:
    with sessions(url) as others:
        first = others.begin()
        kept = record(first, key="click 1")
        with ThreadPoolExecutor(1) as pool, psycopg.connect(url, autocommit=True) as second:
            waiting = pool.submit(record, second, key="click 1")
            pid = second.info.backend_pid
            while not value(film, "select cardinality(pg_blocking_pids(%s)) > 0", pid):
                assert not waiting.done()
            first.execute("commit")
            assert waiting.result() == kept
    assert len(interactions(film)) == 1


def test_marking_types_mark_the_row_and_the_latest_counts(film: psycopg.Connection) -> None:
    record(film, film=1, type="favorite")
    record(film, film=2, type="dismiss")
    record(film, film=3, type="view")
    record(film, film=2, type="purchase", at="2026-01-01")
    assert marks(film) == {1: "has", 2: "dismissed"}
    record(film, film=2, type="purchase")
    assert marks(film) == {1: "has", 2: "has"}

    assert value(film, "select evervec.clear_mark('ada', 'film', '{\"id\": \"2\"}')") is True
    assert value(film, "select evervec.clear_mark('ada', 'film', '{\"id\": 2}')") is False
    assert marks(film) == {1: "has"}


def test_a_type_can_be_added_and_changed(film: psycopg.Connection) -> None:
    with raises(film, "VE503", "'share' is not a type"):
        record(film, type="share")
    film.execute("select evervec.add_interaction_type('share', 0.8)")
    record(film, type="share")
    film.execute("select evervec.add_interaction_type('share', -2, 'dismissed')")
    record(film, type="share")
    assert marks(film) == {1: "dismissed"}
    with raises(film, "VE111", "p_marks cannot be 'mine'"):
        film.execute("select evervec.add_interaction_type('share', 1, 'mine')")
    for name, weight in (("", 1), (None, 1), ("x" * 64, 1), ("x", "NaN"), ("x", None), ("x", 1e10)):
        with raises(film, "VE504", "is no type of interaction"):
            film.execute("select evervec.add_interaction_type(%s, %s)", [name, weight])


@pytest.mark.parametrize(
    ("wrong", "sqlstate", "message"),
    [
        ({"user": None}, "VE502", "NULL is no user"),
        ({"user": "  "}, "VE502", "is no user"),
        ({"source": "book"}, "VE101", "does not exist"),
        ({"source": None}, "VE101", "does not exist"),
        ({"type": None}, "VE503", "NULL is not a type"),
        ({"row_key": '{"id": "x"}'}, "VE202", "is not a key"),
        ({"row_key": '{"key": 1}'}, "VE202", "is not a key"),
        ({"row_key": '"1"'}, "VE202", "is not a key"),
        ({"value": "NaN"}, "VE504", "cannot be recorded"),
        ({"value": "-Infinity"}, "VE504", "cannot be recorded"),
        ({"value": 2e9}, "VE504", "cannot be recorded"),
        ({"type": "rating"}, "VE504", "cannot be recorded"),
        ({"type": "favorite", "row_key": None}, "VE504", "cannot be recorded"),
        ({"context": "[]"}, "VE504", "cannot be recorded"),
        ({"context": '"x"'}, "VE504", "cannot be recorded"),
        ({"context": json.dumps({"x": "y" * 9000})}, "VE504", "cannot be recorded"),
        ({"key": " "}, "VE504", "cannot be recorded"),
        ({"key": "k" * 201}, "VE504", "cannot be recorded"),
        ({"at": "2020-01-01"}, "VE504", "cannot be recorded"),
        ({"at": "2100-01-01"}, "VE504", "cannot be recorded"),
        ({"at": "infinity"}, "VE504", "cannot be recorded"),
        ({"at": "-infinity"}, "VE504", "cannot be recorded"),
    ],
)
def test_what_cannot_be_recorded_is_refused(
    film: psycopg.Connection, wrong: dict[str, Any], sqlstate: str, message: str
) -> None:
    with raises(film, sqlstate, message):
        record(film, **wrong)
    assert interactions(film) == []


def test_many_are_recorded_at_once(film: psycopg.Connection) -> None:
    film.execute(
        """
        create table book (isbn text primary key, title text);
        select evervec.track('book', p_columns => '{title}', p_model => 'toy');
        """
    )
    book = {"user": "bob", "source": "book", "row_key": {"isbn": "x"}, "type": "favorite"}
    assert record_all(film) == 0
    assert record_all(film, view(1, key="a"), view(2, key="a"), book, view(3, at=None)) == 3
    assert record_all(film, view(1, key="a"), view(4, type="dismiss", at="2026-10-01T00:00Z")) == 1

    assert [(row["user_id"], row["row_key"]) for row in interactions(film)] == [
        ("ada", {"id": 1}),
        ("bob", {"isbn": "x"}),
        ("ada", {"id": 3}),
        ("ada", {"id": 4}),
    ]
    assert marks(film) == {4: "dismissed"}


@pytest.mark.parametrize(
    ("wrong", "sqlstate"),
    [
        ({"user": " "}, "VE502"),
        ({"source": "book"}, "VE101"),
        ({"type": "share"}, "VE503"),
        ({"row_key": {"id": None}}, "VE202"),
        ({"value": "many"}, "VE504"),
        ({"value": "NaN"}, "VE504"),
        ({"at": "yesterweek"}, "VE504"),
        ({"at": "2020-01-01"}, "VE504"),
        ({"context": [1]}, "VE504"),
        ({"film": 1}, "VE504"),
    ],
)
@pytest.mark.parametrize("place", [1, 4, 7])
def test_one_of_many_that_is_wrong_refuses_all_and_its_place_is_told(
    film: psycopg.Connection, wrong: Row, sqlstate: str, place: int
) -> None:
    given = [view(n) for n in range(1, 8)]
    given[place - 1] |= wrong
    with raises(film, sqlstate, "") as caught:
        record_all(film, *given)
    assert f"Element {place} " in (caught.value.diag.message_detail or "")
    assert interactions(film) == []


@pytest.mark.parametrize("given", [None, "{}", "3", '["x"]', "[null]", "[[]]"])
def test_what_is_no_array_of_interactions_is_refused(
    film: psycopg.Connection, given: str | None
) -> None:
    with raises(film, "VE504", "no interactions"):
        film.execute("select evervec.record_interactions(%s::jsonb)", [given])


def test_ten_thousand_are_the_most(film: psycopg.Connection) -> None:
    assert record_all(film, *[view(n, type="favorite") for n in range(10_000)]) == 10_000
    with raises(film, "VE504", "no interactions"):
        record_all(film, *[view(n) for n in range(10_001)])


def test_partitions_are_made_ahead_and_when_one_is_missing(film: psycopg.Connection) -> None:
    partitions = (
        "select count(*) from pg_inherits where inhparent = 'evervec.interaction'::regclass"
    )
    assert value(film, "select evervec.make_partitions()") == 3
    assert value(film, "select evervec.make_partitions()") == 0
    film.execute("set timezone = 'Pacific/Auckland'")
    for at in ("2026-01-01 00:00+00", "2025-12-31 23:59:59.999999+00"):
        record(film, at=at)
    assert value(film, partitions) == 5
    assert len(interactions(film)) == 2


def test_a_partition_is_made_while_others_write(film: psycopg.Connection, url: str) -> None:
    film.execute("select evervec.make_partitions()")
    film.execute("set lock_timeout = '1s'")
    with sessions(url) as others:
        writer, reader = others.begin(), others.begin()
        record(writer)
        rows(reader, "select * from evervec.interaction")
        record(film, at="2026-01-01")
        record(writer)


def test_partitions_are_dropped_when_all_in_them_is_past_its_time(film: psycopg.Connection) -> None:
    film.execute(
        """
        select evervec.make_partition(now() - n * interval '1 month')
          from generate_series(10, 15) n
        """
    )
    dropped = 0
    while value(film, "select evervec.drop_partitions()") > 0:
        dropped += 1
    assert dropped in (2, 3)
    assert (
        value(
            film,
            "select count(*) from pg_inherits where inhparent = 'evervec.interaction'::regclass",
        )
        == 6 - dropped
    )
    film.execute(
        """update evervec.setting set value = '"9 months"' where name = 'interaction_keep'"""
    )
    assert value(film, "select evervec.drop_partitions()") == 1


def test_a_partition_in_use_is_dropped_another_time(film: psycopg.Connection, url: str) -> None:
    film.execute("select evervec.make_partition(now() - interval '15 months')")
    with sessions(url) as others:
        reader = others.begin()
        rows(reader, "select * from evervec.interaction")
        assert value(film, "select evervec.drop_partitions()") == 0
        reader.execute("commit")
    assert value(film, "select evervec.drop_partitions()") == 1


def test_interactions_move_to_another_key(film: psycopg.Connection) -> None:
    record(film, film=1, type="favorite", at="2026-10-01")
    record(film, film=2, type="dismiss")
    record(film, user="bob", film=1, type="favorite")
    move = """select evervec.move_interactions('film', '{"id": 1}', %s)"""
    assert value(film, move, '{"id": 2}') == 2
    assert value(film, move, '{"id": 1}') == 0
    assert {row["row_key"]["id"] for row in interactions(film)} == {2}
    assert marks(film) == {2: "dismissed"}
    assert value(film, "select mark from evervec.row_mark where user_id = 'bob'") == "has"


@pytest.fixture
def somebody(superuser_conn: psycopg.Connection) -> Iterator[str]:
    with role(superuser_conn) as name:
        yield name


def test_a_writer_records_for_the_user_that_its_session_speaks_for(
    film: psycopg.Connection, database: Database, somebody: str
) -> None:
    film.execute("select evervec.grant_access(%s, 'writer')", [somebody])
    with session_of(database, somebody) as conn:
        with raises(conn, "VE501", "another user"):
            record(conn)
        conn.execute("set evervec.user_id = 'ada'")
        record(conn, type="favorite", at="2026-01-05")
        assert record_all(conn, view(2)) == 1
        with raises(conn, "VE501", "another user") as caught:
            record_all(conn, view(1), view(2, user="bob"))
        assert "Element 2 " in (caught.value.diag.message_detail or "")
        assert value(conn, "select evervec.clear_mark('ada', 'film', '{\"id\": 1}')") is True
        with raises(conn, "VE501", "another user"):
            conn.execute("select evervec.clear_mark('bob', 'film', '{\"id\": 1}')")
    assert len(interactions(film)) == 2
