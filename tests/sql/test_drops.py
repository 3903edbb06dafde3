"""What a DBA does to a database with tracked tables: drops things in it."""

from __future__ import annotations

import psycopg

from tests.support.sql_worker import drain, rows, value


def test_a_dropped_table_stops_no_other(film: psycopg.Connection) -> None:
    film.execute("create table other (id integer primary key, title text)")
    film.execute("insert into other values (1, 'Other')")
    film.execute("select evervec.track('other', '{title}', p_model => 'toy')")

    film.execute("drop table film")

    assert drain_active(film) == ["Title: Other"]
    assert value(film, "select count(*) from evervec.status") == 2
    film.execute("select evervec.untrack('film', p_drop_vectors => true)")


def test_dropped_vectors_fail_no_write(film: psycopg.Connection) -> None:
    drain(film)

    film.execute("set client_min_messages = warning; drop table film_embedding cascade")

    film.execute("insert into film values (11, 'New')")
    film.execute("update film set title = 'Changed' where id = 1")
    film.execute("update film set id = 100 where id = 2")
    film.execute("delete from film where id = 3")
    film.execute("truncate film")
    assert value(film, "select count(*) from evervec.status") == 1
    assert drain_active(film) == []


def drain_active(conn: psycopg.Connection) -> list[str]:
    """Work as long as there is something to claim; the texts that were embedded."""
    from tests.support.sql_worker import claim, complete

    texts: list[str] = []
    for _ in range(20):
        jobs = claim(conn)
        complete(conn, jobs)
        texts += [job["content"] for job in jobs if job["state"] == "embed"]
    assert rows(conn, "select * from evervec.tick()") != []
    return texts


def test_a_recipe_that_a_rename_broke_stops_no_other(film: psycopg.Connection) -> None:
    drain(film)
    film.execute(
        """
        create table broken (id integer primary key, body text);
        select evervec.track('broken', p_text_sql => 'upper(broken.body)', p_model => 'toy');
        insert into broken values (1, 'x');
        alter table broken rename body to text;
        update film set title = 'Changed' where id = 1;
        """
    )

    assert drain_active(film) == ["Title: Changed"]
    assert value(film, "select last_error from evervec.source where name = 'broken'") is not None
