"""Which columns of which tables the view egress names."""

from __future__ import annotations

import psycopg
import pytest

from tests.support.sql_worker import rows

Where = tuple[str, str]

TITLE_AND_GENRES = """
    film.title || (select string_agg(g.name, ' ') from public.genre g
                     join public.film_genre f on f.genre_id = g.id where f.film_id = film.id)
"""
GENRES = """
    {"public.film_genre": "film_id",
     "public.genre": {"columns": ["id"], "watch": ["name"], "keys":
        "select f.film_id from public.film_genre f join changed c on c.id = f.genre_id"}}
"""


def columns(conn: psycopg.Connection, source: str) -> list[Where]:
    found = rows(conn, "select relation, column_name from evervec.egress where source = %s", source)
    return [(row["relation"], row["column_name"]) for row in found]


def test_columns_that_are_named_are_told_and_no_others(film: psycopg.Connection) -> None:
    film.execute(
        "select evervec.track('film', p_name => 'new', p_model => 'local', p_columns => '{title}',"
        " p_where => 'film.year > 1990')"
    )

    assert rows(film, "select * from evervec.egress") == [
        {
            "source": name,
            "relation": "film",
            "column_name": "title",
            "model": model,
            "provider": provider,
            "storage": "table",
            "leaves": leaves,
        }
        for name, model, provider, leaves in [
            ("film", "toy", "toy", True),
            ("new", "local", "local", False),
        ]
    ]


def test_the_holes_of_a_template_are_told(film: psycopg.Connection) -> None:
    film.execute(
        "select evervec.track('film', p_name => 't', p_model => 'toy',"
        " p_template => '{title|none} {{id}}', p_where => 'film.id > 0')"
    )
    assert columns(film, "t") == [("film", "title")]


def test_of_a_recipe_in_sql_all_that_is_known_is_told(film: psycopg.Connection) -> None:
    film.execute(
        """
        create table genre (id integer primary key, name text, secret text);
        create table film_genre (film_id integer, genre_id integer);
        """
    )
    film.execute(
        "select evervec.track('film', p_name => 's', p_model => 'toy', p_text_sql => %s,"
        " p_where => 'film.year > 0', p_depends_on => %s)",
        [TITLE_AND_GENRES, GENRES],
    )

    found = columns(film, "s")

    assert found[0][0] == "film"
    assert {column for relation, column in found if relation == "film"} >= {"title", "year"}
    assert [where for where in found if where[0] != "film"] == [
        ("film_genre", "film_id"),
        ("film_genre", "genre_id"),
        ("genre", "name"),
    ]


@pytest.mark.parametrize("adopted", [False, True])
def test_columns_and_tables_bear_their_present_names(
    film: psycopg.Connection, adopted: bool
) -> None:
    film.execute("alter table film rename title to heading; alter table film rename to movie")
    if adopted:
        film.execute("select evervec.tick()")
    assert columns(film, "film") == [("movie", "heading")]


def test_a_source_whose_vectors_the_application_brings_sends_nothing(
    film: psycopg.Connection,
) -> None:
    film.execute(
        "select evervec.track('film', p_name => 'mine', p_storage => 'manual', p_model => 'toy')"
    )
    assert columns(film, "mine") == []


def test_the_storage_is_told(film: psycopg.Connection) -> None:
    film.execute(
        "select evervec.track('film', '{title}', p_name => 'c', p_storage => 'column',"
        " p_model => 'toy')"
    )
    (found,) = rows(film, "select storage from evervec.egress where source = 'c'")
    assert found["storage"] == "column"
