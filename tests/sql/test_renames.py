# ruff: noqa: E501  (a statement of SQL reads best on one line)
"""What is renamed, dropped or retyped: the writer never fails, and after draining everything is true."""

from __future__ import annotations

import psycopg
import pytest

from tests.support.in_step import assert_in_step, drain_all
from tests.support.sql_worker import claim, complete, drain, raises, rows, value
from tests.support.tables import tracked


def write_all_kinds(conn: psycopg.Connection, table: str, key: str, column: str, base: int) -> None:
    """An insert, an update, a key change and a delete, of rows base to base + 3; none may fail."""
    conn.execute(f"insert into {table} ({key}, {column}) values ({base}, 'New {base}')")
    conn.execute(f"update {table} set {column} = 'x' where {key} = {base + 1}")
    conn.execute(f"update {table} set {key} = {base + 100} where {key} = {base + 2}")
    conn.execute(f"delete from {table} where {key} = {base + 3}")


@pytest.mark.parametrize(
    ("rename", "table", "key", "column"),
    [
        ("alter table film rename to movie", "movie", "id", "title"),
        ("create schema other; alter table film set schema other", "other.film", "id", "title"),
        ("alter schema app rename to other", "other.film", "id", "title"),
        ("alter table film rename column title to name", "film", "id", "name"),
        ("alter table film rename column id to number", "film", "number", "title"),
        ("alter table film rename column id to title2; alter table film rename column title to id", "film", "title2", "id"),
        ("alter table film_embedding rename to movie_embedding", "film", "id", "title"),
        ("create schema other; alter table film_embedding set schema other", "film", "id", "title"),
    ],
    ids=[
        "table", "moved to another schema", "schema", "watched column", "key column",
        "names that change hands", "embedding table", "embedding table moved",
    ],
)  # fmt: skip
def test_renames_are_survived(
    conn: psycopg.Connection, rename: str, table: str, key: str, column: str
) -> None:
    conn.execute("create schema app; set search_path = app, public")
    tracked(
        conn,
        """
        create table film (id int primary key, title text);
        insert into film select g, 'Film ' || g from generate_series(1, 20) g where g <> 10;
        """,
        "film",
    )

    conn.execute(rename)
    write_all_kinds(conn, table, key, column, 0)
    drain_all(conn)
    write_all_kinds(conn, table, key, column, 10)
    drain_all(conn)

    # A label in the text may follow the column's new name or stay; the vectors must be of what render() shows.
    target = value(conn, "select target::regclass::text from evervec.source")
    texts = rows(
        conn,
        f"""
        select sha256(convert_to(evervec.render('film', evervec.parse_key('film', {key}::text)), 'UTF8')) as hash
          from {table}
        """,
    )
    assert len(texts) == 19
    assert sorted(r["hash"] for r in texts) == sorted(
        r["content_hash"] for r in rows(conn, f"select content_hash from {target}")
    )


def test_a_renamed_column_is_rendered(film: psycopg.Connection) -> None:
    drain(film)
    film.execute("alter table film rename column title to name")
    film.execute("update film set name = 'x' where id = 1")

    texts = drain_all(film).texts

    assert any(text.endswith(": x") for text in texts)
    assert len(texts) <= 10
    assert value(film, "select count(*) from film_embedding") == 10


@pytest.mark.parametrize(
    "ddl", ["alter table film drop column title", "alter table film alter title type varchar(20)"]
)
def test_ddl_on_a_watched_column_is_refused_by_postgresql(
    film: psycopg.Connection, ddl: str
) -> None:
    with raises(film, "2BP01" if "drop" in ddl else "0A000", "", ours=False):
        film.execute(ddl)


def test_a_watched_column_is_retyped_between_suspend_and_retrack(film: psycopg.Connection) -> None:
    drain(film)

    film.execute("select evervec.suspend('film')")
    film.execute("alter table film alter title type varchar(200) using title || '!'")
    film.execute("update film set title = 'meanwhile' where id = 1; delete from film where id = 2")
    film.execute("insert into film values (11, 'born meanwhile')")
    film.execute("select evervec.retrack('film')")
    drain_all(film)
    assert_in_step(film)

    film.execute("update film set title = 'later' where id = 3")
    assert drain_all(film).texts == ["Title: later"]
    assert_in_step(film)


def test_a_watched_column_is_dropped_between_suspend_and_retrack(film: psycopg.Connection) -> None:
    drain(film)

    film.execute("select evervec.suspend('film')")
    film.execute("alter table film drop column title")
    film.execute("select evervec.retrack('film', p_columns => '{year}')")
    drain_all(film)
    assert_in_step(film, text=lambda row: f"Year: {row['year']}")

    film.execute("update film set year = 1 where id = 1")
    assert drain_all(film).texts == ["Year: 1"]


def test_a_suspended_source_does_no_harm(film: psycopg.Connection) -> None:
    drain(film)
    film.execute("update film set title = 'before' where id = 1")
    film.execute("select evervec.suspend('film')")

    film.execute(
        "update film set title = 'x'; delete from film where id = 1; insert into film values (11, 'y')"
    )
    assert drain_texts_of_claims(film) == []

    film.execute("select evervec.retrack('film')")
    drain_all(film)
    assert_in_step(film)


def drain_texts_of_claims(conn: psycopg.Connection) -> list[str]:
    """The texts of three claims, which are completed."""
    texts = []
    for _ in range(3):
        jobs = claim(conn)
        texts += [job["content"] for job in jobs if job["state"] == "embed"]
        complete(conn, jobs)
    return texts
