"""Words are written under the lock that the vector is written under: both are of one text."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from tests.support.cluster import Database
from tests.support.sessions import Sessions, sessions
from tests.support.sql_worker import add_toy_model, claim, complete, drain, rows


@pytest.fixture
def film(database: Database) -> Iterator[psycopg.Connection]:
    """Ten films, embedded; a text that is joined from another table."""
    with psycopg.connect(database.url, autocommit=True) as conn:
        add_toy_model(conn)
        conn.execute(
            """
            create table film (id integer primary key, title text);
            create table genre (film integer, name text);
            insert into film select g, 'Film ' || g from generate_series(1, 10) g;
            insert into genre select g, 'genre' || g from generate_series(1, 10) g;
            select evervec.track('film', p_model => 'toy', p_text_search => 'simple',
                p_text_sql => $$film.title || ' ' || coalesce((select string_agg(g.name, ' ')
                                                              from public.genre g
                                                             where g.film = film.id), '')$$,
                p_depends_on => '{"public.genre": "film"}');
            """
        )
        drain(conn)
        yield conn


@pytest.fixture
def others(database: Database) -> Iterator[Sessions]:
    with sessions(database.url) as found:
        yield found


def assert_words_are_those_of_the_texts(conn: psycopg.Connection) -> None:
    """Each document's text has the hash that the vector is kept under."""
    wrong = rows(
        conn,
        """
        select e.id, e.document
          from film_embedding e
          cross join lateral evervec.render('film', jsonb_build_object('id', e.id)) r (content)
         where e.document is distinct from to_tsvector('simple', r.content)
            or e.content_hash is distinct from sha256(convert_to(r.content, 'UTF8'))
        """,
    )
    assert wrong == []


CHANGES = (
    "update film set title = 'Newer' where id = 1",
    "update genre set name = 'newer' where film = 1",
    "delete from film where id = 1",
    "update film set id = 100 where id = 1",
)


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("committed", ["before", "after"])
def test_a_change_around_a_complete_leaves_words_and_vector_of_one_text(
    film: psycopg.Connection, others: Sessions, change: str, committed: str
) -> None:
    film.execute("update film set title = title || '!'")
    jobs = claim(film)
    writer = others.begin()
    writer.execute(change)
    if committed == "before":
        writer.execute("commit")
    complete(film, jobs)
    if committed == "after":
        writer.execute("commit")
    film.execute("update evervec.processing_queue set available_at = now()")

    drain(film)

    assert_words_are_those_of_the_texts(film)


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("committed", ["before", "after"])
def test_a_change_while_words_are_written_anew_leaves_words_and_vector_of_one_text(
    film: psycopg.Connection, others: Sessions, change: str, committed: str
) -> None:
    film.execute("select evervec.retrack('film', p_text_search => '')")
    film.execute("select evervec.retrack('film', p_text_search => 'simple')")
    writer = others.begin()
    writer.execute(change)
    if committed == "before":
        writer.execute("commit")
    jobs = claim(film)
    if committed == "after":
        writer.execute("commit")
    complete(film, jobs)
    film.execute("update evervec.processing_queue set available_at = now()")

    drain(film)

    assert_words_are_those_of_the_texts(film)
