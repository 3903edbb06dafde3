"""Bad input to track: one clear message each, SQLSTATE, DETAIL and HINT, nothing changed."""

from __future__ import annotations

import psycopg
import pytest

from tests.support.sql_worker import add_toy_model, raises, value

SETUP = """
    create table film (id integer primary key, title text, year integer);
    create table keyless (title text);
    create view film_view as select * from film;
    create materialized view film_matview as select * from film;
    create foreign data wrapper nowhere;
    create server nowhere foreign data wrapper nowhere;
    create foreign table film_foreign (id integer, title text) server nowhere;
    create temporary table film_temporary (id integer primary key, title text);
    create table taken_embedding (id integer primary key);
    create table guarded (id integer primary key, title text);
    alter table guarded enable row level security, force row level security;
"""
LONG = "a" * 41

CASES = {
    "unknown column": ("'film', p_columns => '{title,rating}'", "VE103", 'column "rating"'),
    "unknown column in a template": ("'film', p_template => '{titel}'", "VE103", 'column "titel"'),
    "system column": ("'film', p_columns => '{ctid}'", "VE103", 'column "ctid"'),
    "unbalanced opening brace": ("'film', p_template => 'a {title'", "VE104", 'unbalanced "{"'),
    "unbalanced closing brace": ("'film', p_template => 'a} {title}'", "VE104", 'unbalanced "}"'),
    "hole without a name": ("'film', p_template => '{title} {}'", "VE104", "names no column"),
    "template without a hole": ("'film', p_template => 'a film'", "VE104", "names no column"),
    "no columns": ("'film', p_columns => '{}'", "VE104", "p_columns is empty"),
    "no recipe": ("'film'", "VE104", "no recipe"),
    "two recipes": ("'film', '{title}', '{title}'", "VE104", "not both"),
    "no primary key": ("'keyless', '{title}'", "VE105", "no primary key"),
    "a view": ("'film_view', '{title}'", "VE105", "is a view"),
    "a materialized view": ("'film_matview', '{title}'", "VE105", "is a materialized view"),
    "a foreign table": ("'film_foreign', '{title}'", "VE105", "is a foreign table"),
    "a temporary table": ("'film_temporary', '{title}'", "VE105", "is a temporary table"),
    "a table of evervec": ("'evervec.model', '{name}'", "VE105", "belongs to evervec"),
    "a system catalog": ("'pg_class', '{relname}'", "VE105", "system catalog"),
    "no table": ("null, '{title}'", "VE105", "no table was named"),
    "hidden rows": ("'guarded', '{title}'", "VE110", "row-level security"),
    "a name too long": (f"'film', '{{title}}', p_name => '{LONG}'", "VE106", "too long"),
    "an empty name": ("'film', '{title}', p_name => ' '", "VE106", "empty"),
    "a name that makes another function's": (
        "'film', '{title}', p_name => 'jobs'",
        "VE106",
        'cannot be named "jobs"',
    ),
    "an existing target": ("'film', '{title}', p_name => 'taken'", "VE107", "taken_embedding"),
    "an unknown model": ("'film', '{title}', p_model => 'gpt'", "VE108", 'model "gpt"'),
    "an unknown distance": ("'film', '{title}', p_distance => 'hamming'", "VE111", "p_distance"),
    "an unknown index": ("'film', '{title}', p_index => 'btree'", "VE111", "p_index"),
    "a priority out of range": ("'film', '{title}', p_priority => 11", "VE111", "p_priority"),
}


@pytest.fixture
def everything(conn: psycopg.Connection, superuser_conn: psycopg.Connection) -> psycopg.Connection:
    superuser_conn.execute("grant evervec_owner to current_user")
    superuser_conn.execute("create foreign data wrapper nowhere")
    superuser_conn.execute("grant usage on foreign data wrapper nowhere to evervec_owner")
    conn.execute(SETUP.replace("create foreign data wrapper nowhere;", ""))
    add_toy_model(conn)
    return conn


def objects(conn: psycopg.Connection) -> object:
    """Everything that track could have made."""
    return value(
        conn,
        """
        select array[(select count(*) from evervec.source), (select count(*) from pg_class),
                     (select count(*) from pg_proc), (select count(*) from pg_trigger)]
        """,
    )


@pytest.mark.parametrize("case", CASES, ids=str)
def test_track_refuses(everything: psycopg.Connection, case: str) -> None:
    arguments, sqlstate, message = CASES[case]
    before = objects(everything)

    with raises(everything, sqlstate, message):
        everything.execute(f"select evervec.track({arguments})")

    assert objects(everything) == before


def test_track_refuses_a_name_twice(film: psycopg.Connection) -> None:
    with raises(film, "VE102", 'source "film" exists already'):
        film.execute("select evervec.track('film', '{title}', p_model => 'toy')")


@pytest.mark.parametrize("call", ["track('film', '{title}', p_name => 'again')", "retrack('film')"])
def test_track_refuses_whoever_is_not_the_owner_of_evervec(
    film: psycopg.Connection, superuser_conn: psycopg.Connection, call: str
) -> None:
    before = objects(film)

    with raises(superuser_conn, "VE110", "cannot be tracked by") as caught:
        superuser_conn.execute(f"select evervec.{call}".encode())

    assert objects(film) == before
    superuser_conn.execute(str(caught.value.diag.message_hint).partition(";")[0].encode())
    superuser_conn.execute(f"select evervec.{call}".encode())


def test_track_refuses_an_embedding_table(film: psycopg.Connection) -> None:
    with raises(film, "VE105", "belongs to evervec"):
        film.execute("select evervec.track('film_embedding', '{id}', p_model => 'toy')")


def test_a_name_of_the_greatest_length_works(everything: psycopg.Connection) -> None:
    name = "n" * 40

    everything.execute(
        "select evervec.track('film', '{title}', p_model => 'toy', p_name => %s)", [name]
    )

    assert value(everything, "select count(*) from pg_proc where proname = %s", f"nearest_{name}")


def test_a_table_that_stays_locked_is_an_error_that_says_so(
    everything: psycopg.Connection, url: str
) -> None:
    everything.execute("create table busy (id integer primary key, title text)")
    with psycopg.connect(url) as other:
        other.execute("lock table busy in row exclusive mode")
        with raises(everything, "55P03", "could not lock table"):
            everything.execute("select evervec.lock_relation('busy', 'share', 2, '20 ms')")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("'m', 'toy', 0", "out of its range"),
        ("'m', 'toy', 16001", "out of its range"),
        ("'m', 'Bad Provider', 3", "out of its range"),
        ("null, 'toy', 3", "out of its range"),
        ("'m', 'toy', 3, p_request => '[]'", "out of its range"),
        ("'m', 'toy', 3, p_request => '{\"document\": \"text\"}'", "out of its range"),
        ("'m', 'toy', 3, p_request => '{\"query\": null}'", "out of its range"),
        ("'local', 'toy', 512", "exists with a different definition"),
    ],
)
def test_add_model_refuses(conn: psycopg.Connection, arguments: str, message: str) -> None:
    with raises(conn, "VE109", message):
        conn.execute(f"select evervec.add_model({arguments})")


def test_add_model_twice_is_no_error(conn: psycopg.Connection) -> None:
    add_toy_model(conn)
    add_toy_model(conn)

    assert value(conn, "select count(*) from evervec.model where name = 'toy'") == 1
