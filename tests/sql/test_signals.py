"""Signals: queries over the application's tables that tell who likes which rows."""

from __future__ import annotations

import psycopg
import pytest

from tests.support.roles import role
from tests.support.sql_worker import Row, raises, rows, value

LIBRARY = "select user_id, film_id as id, stars as rating, habit as frequency, seen_at as at"


@pytest.fixture
def library(film: psycopg.Connection) -> psycopg.Connection:
    """library(user_id, film_id, …), where ada has films 1 and 2, and bob film 2."""
    film.execute(
        """
        create table library (user_id integer, film_id integer, stars numeric, habit text,
                              seen_at date, primary key (user_id, film_id));
        insert into library values (1, 1, 4.5, 'daily', '2026-01-01'),
                                   (1, 2, null, null, null), (2, 2, 'NaN', 'weekly', 'infinity');
        """
    )
    return film


def said(conn: psycopg.Connection, user: str | None, signals: list[str] | None = None) -> list[Row]:
    """What the signals of film say."""
    return rows(
        conn,
        """
        select u.* from evervec.source s cross join lateral evervec.user_signals(s, %s, %s) u
         where s.name = 'film' order by u.signal, u.user_id, u.row_key
        """,
        user,
        signals,
    )


def test_a_signal_says_who_has_which_row_and_how_it_is_liked(library: psycopg.Connection) -> None:
    name = value(
        library,
        "select evervec.add_signal('film', 'library', %s, 0.7)",
        f"{LIBRARY} from public.library",
    )
    assert name == "signal_film_library"

    first, second = rows(library, "select * from evervec.signal_film_library('1') order by row_key")
    assert (first["user_id"], first["row_key"], first["rating"]) == ("1", {"id": 1}, 4.5)
    assert (first["frequency"], first["at"].isoformat()) == ("daily", "2026-01-01T00:00:00+00:00")
    assert (first["amount"], first["weight"]) == (None, None)
    assert (second["row_key"], second["rating"], second["at"]) == ({"id": 2}, None, None)
    assert [row["signal_weight"] for row in said(library, "1")] == [0.7, 0.7]


def test_without_a_user_it_says_so_of_all(library: psycopg.Connection) -> None:
    add(library)
    assert [(row["user_id"], row["row_key"]["id"]) for row in said(library, None)] == [
        ("1", 1),
        ("1", 2),
        ("2", 2),
    ]


def add(conn: psycopg.Connection, name: str = "library", query: str | None = None) -> None:
    conn.execute(
        "select evervec.add_signal('film', %s, %s)", [name, query or f"{LIBRARY} from library"]
    )


def test_one_user_is_looked_up_in_the_users_index(library: psycopg.Connection) -> None:
    add(library, query="select user_id, film_id as id, sum(stars) as rating from public.library group by 1, 2")
    plan = library.execute(
        "set enable_seqscan = off"
    )
