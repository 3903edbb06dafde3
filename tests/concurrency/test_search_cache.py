"""A result that is kept while vectors are stored elsewhere: no search misses what is committed."""

from __future__ import annotations

from functools import partial

import psycopg
import pytest

from tests.support.sessions import Sessions, in_thread
from tests.support.sql_worker import claim, complete, drain, rows, toy_vector, value

WORDS = "space opera"
NEAREST = toy_vector(f"Title: {WORDS}")


@pytest.fixture
def filled(film: psycopg.Connection) -> psycopg.Connection:
    drain(film)
    film.execute("select evervec.cache_query('toy', %s, %s::vector)", [WORDS, NEAREST])
    film.execute("delete from evervec.search_cache")
    return film


def found(conn: psycopg.Connection) -> list[int]:
    query = "select * from evervec.search('film', %s, 3)"
    return [row["row_key"]["id"] for row in rows(conn, query, WORDS)]


def farthest(conn: psycopg.Connection) -> int:
    query = "select id from film_embedding order by embedding <=> %s::vector desc, id limit 1"
    return int(value(conn, query, NEAREST))


def exact(conn: psycopg.Connection) -> list[int]:
    query = "select id from film_embedding order by embedding <=> %s::vector, id limit 3"
    return [row["id"] for row in rows(conn, query, NEAREST)]


def make_nearest(conn: psycopg.Connection, *ids: int) -> None:
    """Give films the text whose vector is that of WORDS."""
    conn.execute("update film set title = %s where id = any (%s)", [WORDS, list(ids)])


def test_what_commits_after_a_result_was_kept_is_found_by_the_next_search(
    filled: psycopg.Connection, others: Sessions
) -> None:
    far = farthest(filled)
    make_nearest(filled, far)
    jobs = claim(filled)
    filled.execute("begin")
    complete(filled, jobs)

    # The change is older than the result, and not to be seen by it.
    searcher = others.open()
    before = found(searcher)
    assert found(searcher) == before
    filled.execute("commit")

    assert found(searcher) == exact(searcher)
    assert found(searcher)[0] == far


def test_neither_a_younger_change_nor_a_cleanup_hides_an_older_one(
    filled: psycopg.Connection, others: Sessions
) -> None:
    far = farthest(filled)
    make_nearest(filled, far)
    jobs = claim(filled)
    filled.execute("begin")
    complete(filled, jobs)
    younger, searcher = others.open(), others.open()
    for _ in range(150):
        younger.execute("select evervec.note_change(source_id) from evervec.source")
    found(searcher)
    younger.execute("select evervec.cleanup_expired()")
    found(searcher)
    filled.execute("commit")
    younger.execute("select evervec.cleanup_expired()")

    assert found(searcher)[0] == far
    assert found(searcher) == exact(searcher)


def test_a_result_that_commits_after_the_change_and_after_cleanup_is_void(
    filled: psycopg.Connection, others: Sessions
) -> None:
    far = farthest(filled)
    make_nearest(filled, far)
    jobs = claim(filled)
    filled.execute("begin")
    complete(filled, jobs)
    # Kept from before the change, and seen by others only after cleanup has summed up.
    late = others.begin()
    stale = found(late)
    filled.execute("commit")
    other = others.open()
    for _ in range(150):
        other.execute("select evervec.note_change(source_id) from evervec.source")
    other.execute("select evervec.cleanup_expired()")
    late.execute("commit")

    assert found(other) == exact(other) != stale
    assert found(late) == exact(late)


def test_a_delete_that_commits_after_a_result_was_kept_takes_its_row(
    filled: psycopg.Connection, others: Sessions
) -> None:
    searcher, writer = others.open(), others.begin()
    (nearest, *_) = found(searcher)
    writer.execute("delete from film where id = %s", [nearest])
    assert nearest in found(searcher)
    writer.execute("commit")

    assert nearest not in found(searcher)
    assert found(searcher) == exact(searcher)


def test_what_was_searched_before_a_rollback_of_vectors_is_right_afterwards(
    filled: psycopg.Connection, others: Sessions
) -> None:
    far = farthest(filled)
    make_nearest(filled, far)
    jobs = claim(filled)
    filled.execute("begin")
    complete(filled, jobs)
    assert found(filled)[0] == far
    filled.execute("rollback")

    assert found(filled) == exact(filled)
    assert found(others.open()) == exact(filled)


def test_no_search_waits_for_another_of_an_open_transaction(
    filled: psycopg.Connection, others: Sessions
) -> None:
    first, second = others.begin(), others.open()
    expected = found(first)
    assert in_thread(lambda: found(second)).result(timeout=10) == expected
    first.execute("commit")
    assert found(second) == expected


@pytest.mark.parametrize("isolation", ["repeatable read", "serializable"])
def test_no_search_fails_for_what_another_keeps(
    filled: psycopg.Connection, others: Sessions, isolation: str
) -> None:
    strict = [others.begin(isolation) for _ in range(2)]
    found(filled)
    far = farthest(filled)
    make_nearest(filled, far)
    drain(filled)
    for conn in (*strict, *strict):
        found(conn)
    for conn in strict:
        conn.execute("commit")
    assert found(filled) == exact(filled)


def test_searches_and_completes_at_once_never_leave_an_old_result(
    filled: psycopg.Connection, others: Sessions
) -> None:
    searchers = [others.open() for _ in range(3)]
    stop = False

    def search(conn: psycopg.Connection) -> None:
        while not stop:
            found(conn)

    running = [in_thread(partial(search, conn)) for conn in searchers]
    watcher = others.open()
    for n in range(60):
        make_nearest(filled, 1 + n % 10)
        filled.execute("update film set title = 'Film ' || id where id = %s", [1 + (n - 3) % 10])
        drain(filled)
        assert found(watcher) == exact(watcher)
        if n % 20 == 0:
            filled.execute("select evervec.cleanup_expired()")
    stop = True
    for future in running:
        future.result(timeout=20)
    assert [found(conn) for conn in searchers] == [exact(filled)] * 3
