# ruff: noqa: E501  (a statement of SQL reads best on one line)
"""PEERS.md 9–11 and 24: what happens to a row while its text is at the API. More in tests/concurrency."""

from __future__ import annotations

import psycopg
import pytest

from tests.support.in_step import assert_in_step, drain_all, stored
from tests.support.sql_worker import claim, complete, drain, rows, value

FOREIGN_KEY = pytest.mark.parametrize("foreign_key", [False, True], ids=["log", "foreign key"])


def again(film: psycopg.Connection, foreign_key: bool) -> psycopg.Connection:
    """Track the films with or without a foreign key."""
    film.execute("select evervec.untrack('film', true)")
    film.execute(
        f"select evervec.track('film', '{{title}}', p_model => 'toy', p_foreign_key => {foreign_key})"
    )
    return film


@FOREIGN_KEY
@pytest.mark.parametrize("embedded", [False, True], ids=["new", "known"])
def test_peer_09_a_row_deleted_meanwhile_leaves_nothing(
    film: psycopg.Connection, foreign_key: bool, embedded: bool
) -> None:
    again(film, foreign_key)
    if embedded:
        drain(film)
        film.execute("update film set title = title || '!'")
    jobs = claim(film)
    film.execute("delete from film where id <= 5")

    assert complete(film, jobs) == {"completed": 5, "gone": 5}
    assert set(stored(film, "film_embedding")) == {(i,) for i in range(6, 11)}
    drain(film)
    assert_in_step(film)


@FOREIGN_KEY
def test_peer_09_a_row_deleted_and_born_again_meanwhile_is_not_mixed_up(
    film: psycopg.Connection, foreign_key: bool
) -> None:
    again(film, foreign_key)
    jobs = claim(film)
    film.execute("delete from film where id = 1; insert into film values (1, 'Another')")

    assert complete(film, jobs) == {"completed": 9, "superseded": 1}
    assert drain(film).texts == ["Title: Another"]
    assert_in_step(film)


@FOREIGN_KEY
def test_peer_10_an_older_result_never_replaces_a_newer_one(
    film: psycopg.Connection, foreign_key: bool
) -> None:
    again(film, foreign_key)
    old = claim(film)
    film.execute("update film set title = 'Newer' where id = 1")
    film.execute("update evervec.processing_queue set lease_expires_at = now() - interval '1 s'")
    drain(film)
    newest = stored(film, "film_embedding")

    assert complete(film, old) == {"lost": 10}
    assert stored(film, "film_embedding") == newest
    assert_in_step(film)


def test_peer_10_a_result_of_a_former_text_is_not_stored(film: psycopg.Connection) -> None:
    jobs = claim(film)
    film.execute("update film set title = 'Newer' where id = 1")

    assert complete(film, jobs) == {"completed": 9, "superseded": 1}
    assert (1,) not in stored(film, "film_embedding")
    assert drain(film).texts == ["Title: Newer"]
    assert_in_step(film)


@FOREIGN_KEY
@pytest.mark.parametrize(
    ("statement", "outcomes"),
    [
        ("update film set id = 100 where id = 1", {"completed": 9, "gone": 1}),
        ("update film set id = id + 100", {"gone": 10}),
        ("truncate film cascade", {"gone": 10}),
        (
            "truncate film cascade; insert into film values (1, 'Film 1')",
            {"completed": 1, "gone": 9},
        ),
        (
            "truncate film cascade; insert into film values (1, 'Other')",
            {"superseded": 1, "gone": 9},
        ),
    ],
    ids=["one key", "all keys", "truncate", "truncate and the same", "truncate and another"],
)
def test_peer_11_keys_change_and_tables_are_emptied_meanwhile(
    film: psycopg.Connection, foreign_key: bool, statement: str, outcomes: dict[str, int]
) -> None:
    again(film, foreign_key)
    jobs = claim(film)
    film.execute(statement)

    assert complete(film, jobs) == outcomes
    drain(film)
    assert_in_step(film)


@FOREIGN_KEY
def test_peer_24_a_bulk_of_vanished_rows_drains(
    film: psycopg.Connection, foreign_key: bool
) -> None:
    again(film, foreign_key)
    film.execute("insert into film select g, 'Film ' || g from generate_series(11, 5000) g")
    film.execute("delete from film where id between 11 and 4990")
    film.execute("insert into film values (6000, 'Last')")

    drained = drain_all(film, 50)

    assert len(drained.texts) == 21
    assert_in_step(film)
    assert value(film, "select count(*) from evervec.processing_queue") == 0
    assert rows(film, "select * from evervec.dead_letter") == []
