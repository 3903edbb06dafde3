"""search: rows by words whose vector is known; the words are never sent from the database."""

from __future__ import annotations

import psycopg
import pytest
from psycopg.types.json import Jsonb

from tests.support.cluster import OWNER
from tests.support.roles import role
from tests.support.sql_worker import add_toy_model, drain, raises, rows, toy_vector, value

WORDS = "space opera"


def remember(conn: psycopg.Connection, words: str = WORDS, model: str = "toy") -> None:
    conn.execute(
        "select evervec.cache_query(%s, %s, %s::vector)", [model, words, toy_vector(words)]
    )


@pytest.fixture
def filled(film: psycopg.Connection) -> psycopg.Connection:
    """Ten films with vectors, and the vector of WORDS."""
    drain(film)
    remember(film)
    return film


def test_peer_32_a_search_in_words_uses_the_vector_that_was_paid_for(
    filled: psycopg.Connection,
) -> None:
    by_vector = rows(
        filled, "select * from evervec.find_similar('film', %s::vector, 4)", toy_vector(WORDS)
    )
    assert len(by_vector) == 4
    for _ in range(3):
        assert rows(filled, "select * from evervec.search('film', %s, 4)", WORDS) == by_vector


def test_words_that_nobody_has_embedded_are_refused_and_the_ways_are_named(
    filled: psycopg.Connection,
) -> None:
    with raises(filled, "VE207", 'not known to model "toy"') as caught:
        filled.execute("select * from evervec.search('film', 'whales')")
    hint = caught.value.diag.message_hint or ""
    assert all(
        way in hint for way in ("evervec search film", "evervec.Search", "cache_query('toy'")
    )


def test_a_vector_that_has_expired_is_not_used(filled: psycopg.Connection) -> None:
    filled.execute("select * from evervec.search('film', %s)", [WORDS])
    filled.execute("update evervec.query_cache set created_at = now() - interval '25 hours'")
    with raises(filled, "VE207", "not known"):
        filled.execute("select * from evervec.search('film', %s)", [WORDS])


def test_the_vector_of_another_model_is_not_used(filled: psycopg.Connection) -> None:
    add_toy_model(filled, "other")
    remember(filled, "whales", "other")
    with raises(filled, "VE207", "not known"):
        filled.execute("select * from evervec.search('film', 'whales')")


@pytest.mark.parametrize(
    ("arguments", "state", "message"),
    [
        ("'movie', 'x'", "VE101", 'source "movie" does not exist'),
        ("null, 'x'", "VE101", "does not exist"),
        ("'film', null", "VE218", "no words"),
        ("'film', ''", "VE218", "no words"),
        ("'film', e' \\n\\t'", "VE218", "no words"),
        (f"'film', '{WORDS}', -1", "VE204", "a limit of -1"),
        (f"'film', '{WORDS}', null", "VE204", "a limit of NULL"),
        (f"'film', '{WORDS}', 3, 'NaN'", "VE204", "NaN"),
    ],
)
def test_bad_searches_are_refused(
    filled: psycopg.Connection, arguments: str, state: str, message: str
) -> None:
    for _ in range(2):
        with raises(filled, state, message):
            filled.execute(f"select * from evervec.search({arguments})".encode())


@pytest.mark.parametrize("limit", [0, 1, 3, 10_000])
def test_every_limit_is_kept(filled: psycopg.Connection, limit: int) -> None:
    for _ in range(2):
        found = rows(filled, "select * from evervec.search('film', %s, %s)", WORDS, limit)
        assert len(found) == min(limit, 10)


def test_threshold_and_exclusions_are_those_of_find_similar(filled: psycopg.Connection) -> None:
    everything = rows(filled, "select * from evervec.search('film', %s)", WORDS)
    (first, second) = everything[:2]

    for _ in range(2):
        near = rows(
            filled,
            "select * from evervec.search('film', %s, p_min_similarity => %s::real)",
            WORDS,
            second["similarity"],
        )
        assert near == everything[:2]
        others = rows(
            filled,
            "select * from evervec.search('film', %s, 3, p_exclude => array[%s::jsonb])",
            WORDS,
            Jsonb(first["row_key"]),
        )
        assert others == everything[1:4]


def test_words_of_every_kind_are_only_words(filled: psycopg.Connection) -> None:
    for words in ("'); drop table film; --", "a\\b$1 {x} %s", "🦆" * 100, "x" * 100_000):
        remember(filled, words)
        assert len(rows(filled, "select * from evervec.search('film', %s)", words)) == 10


def test_a_reader_needs_the_functions_and_the_embedding_table(
    filled: psycopg.Connection, superuser_conn: psycopg.Connection
) -> None:
    with role(superuser_conn) as reader:
        superuser_conn.execute(
            f"""
            set role {OWNER};
            grant usage on schema evervec to {reader};
            grant execute on function evervec.search, evervec.query_of, evervec.known_result,
                evervec.keep_result, evervec.find_similar, evervec.similar_film,
                evervec.search_size, evervec.may_search_exactly, evervec.key_film to {reader};
            set role {reader};
            """
        )
        search = "select * from evervec.search('film', %s)"
        for _ in range(2):
            with raises(superuser_conn, "42501", "permission denied for table", ours=False):
                superuser_conn.execute(search, [WORDS])

        superuser_conn.execute(
            f"set role {OWNER}; grant select on film_embedding to {reader}; set role {reader}"
        )
        first, second = (rows(superuser_conn, search, WORDS) for _ in range(2))
        assert len(first) == 10
        assert second == first

        # What was kept while it was permitted is not given when it is not any more.
        superuser_conn.execute(
            f"set role {OWNER}; revoke select on film_embedding from {reader}; set role {reader}"
        )
        with raises(superuser_conn, "42501", "permission denied for table", ours=False):
            superuser_conn.execute(search, [WORDS])
        superuser_conn.execute("reset role")


@pytest.mark.parametrize("path", ["''", "public"])
def test_no_search_path_matters(filled: psycopg.Connection, path: str) -> None:
    filled.execute(f"set search_path = {path}".encode())
    for _ in range(2):
        assert len(rows(filled, "select * from evervec.search('film', %s)", WORDS)) == 10


def test_a_read_only_transaction_searches_and_keeps_nothing(filled: psycopg.Connection) -> None:
    filled.execute("set default_transaction_read_only = on")
    assert len(rows(filled, "select * from evervec.search('film', %s)", WORDS)) == 10
    filled.execute("reset default_transaction_read_only")
    assert value(filled, "select count(*) from evervec.search_cache") == 0
