"""Vectors of queries: the same search is not paid for twice, for a day, and no words are kept."""

from __future__ import annotations

import psycopg
import pytest

from tests.support.cluster import OWNER
from tests.support.roles import role
from tests.support.sessions import in_thread, sessions
from tests.support.sql_worker import add_toy_model, drain, raises, rows, toy_vector, value

WORDS = "a western with ducks"


@pytest.fixture
def model(conn: psycopg.Connection) -> psycopg.Connection:
    """A database with two models of four dimensions, toy and other."""
    add_toy_model(conn)
    add_toy_model(conn, "other")
    return conn


def store(conn: psycopg.Connection, words: str = WORDS, vector: str | None = None) -> bool:
    stored = "select evervec.cache_query('toy', %s, %s::vector)"
    return bool(value(conn, stored, words, vector or toy_vector(words)))


def known(conn: psycopg.Connection, words: str = WORDS, model: str = "toy") -> bool:
    return bool(value(conn, "select evervec.cached_query(%s, %s) is not null", model, words))


def entries(conn: psycopg.Connection) -> int:
    return int(value(conn, "select count(*) from evervec.query_cache"))


def age(conn: psycopg.Connection, hours: int) -> None:
    conn.execute(
        "update evervec.query_cache set created_at = created_at - make_interval(hours => %s)",
        [hours],
    )


def test_peer_32_the_vector_of_a_query_is_there_the_next_time(model: psycopg.Connection) -> None:
    assert not known(model)
    assert store(model)

    same = "select evervec.cached_query('toy', %s) = %s::vector"
    assert value(model, same, WORDS, toy_vector(WORDS)) is True
    assert not known(model, WORDS + "!")
    assert not known(model, WORDS, "other")


@pytest.mark.parametrize(
    "change",
    [
        "query_prefix = 'query: '",
        """request = '{"input_type": "query"}'""",
        "provider_model = 'toy-2'",
        "provider = 'other'",
    ],
)
def test_peer_32_what_is_sent_otherwise_is_another_query(
    model: psycopg.Connection, change: str
) -> None:
    store(model)
    model.execute(f"update evervec.model set {change} where name = 'toy'".encode())
    assert not known(model)


def test_a_prefix_and_words_are_not_mistaken_for_other_words(model: psycopg.Connection) -> None:
    model.execute("update evervec.model set query_prefix = 'query: ' where name = 'other'")
    model.execute("update evervec.model set provider_model = 'toy' where name = 'other'")
    store(model, "query: " + WORDS)
    assert not known(model, WORDS, "other")


def test_no_word_of_a_query_is_kept(model: psycopg.Connection) -> None:
    store(model)
    (entry,) = rows(model, "select to_jsonb(c)::text as text from evervec.query_cache c")
    hashed = value(model, "select encode(sha256(convert_to(%s, 'UTF8')), 'hex')", WORDS)
    assert not any(word in entry["text"] for word in ("western", "ducks", hashed))


def test_a_query_is_kept_for_a_day(model: psycopg.Connection) -> None:
    store(model)
    age(model, 23)
    assert known(model)
    assert not store(model, vector="[9,9,9,9]")

    age(model, 2)

    assert not known(model)
    assert store(model, vector="[9,9,9,9]")
    assert value(model, "select evervec.cached_query('toy', %s)::text", WORDS) == "[9,9,9,9]"


def test_how_long_is_a_setting(model: psycopg.Connection) -> None:
    store(model)
    age(model, 2)
    model.execute("update evervec.setting set value = '\"1 hour\"' where name = 'query_cache_keep'")
    assert not known(model)


def test_cleanup_forgets_what_has_expired(model: psycopg.Connection) -> None:
    store(model)
    store(model, "another")
    age(model, 25)
    store(model)

    assert value(model, "select sum(removed) from evervec.cleanup_expired()") == 1
    assert (entries(model), known(model)) == (1, True)


def test_peer_32_a_thousand_searches_stay_bounded(model: psycopg.Connection) -> None:
    model.execute("update evervec.setting set value = '100' where name = 'query_cache_most'")
    for n in range(1000):
        store(model, f"search {n}")

    assert value(model, "select sum(removed) from evervec.cleanup_expired()") == 900

    kept = [n for n in range(1000) if known(model, f"search {n}")]
    assert kept == list(range(900, 1000))


def test_the_bound_is_kept_in_small_steps(model: psycopg.Connection) -> None:
    model.execute("update evervec.setting set value = '1' where name = 'query_cache_most'")
    for n in range(6):
        store(model, f"search {n}")

    removed = [value(model, "select evervec.forget_queries(3)") for _ in range(3)]

    assert removed == [3, 2, 0]


def test_a_read_only_server_answers_and_keeps_nothing(model: psycopg.Connection) -> None:
    store(model)
    model.execute("set default_transaction_read_only = on")

    assert known(model)
    assert not store(model, "another")
    model.execute("reset default_transaction_read_only")
    assert entries(model) == 1


def test_two_who_search_for_the_same_at_once_keep_one_vector(
    model: psycopg.Connection, url: str
) -> None:
    with sessions(url) as opened:
        first, second = opened.begin(), opened.open()
        assert store(first)
        other = in_thread(lambda: store(second, vector="[9,9,9,9]"))
        opened.wait_until_blocked(second, by=first)
        first.execute("commit")

        assert other.result(timeout=20) is False
    assert value(model, "select evervec.cached_query('toy', %s)::text", WORDS) != "[9,9,9,9]"


@pytest.mark.parametrize(
    ("call", "state", "message"),
    [
        ("cached_query('nosuch', 'x')", "VE108", "nosuch"),
        ("cache_query('nosuch', 'x', '[1,1,1,1]')", "VE108", "nosuch"),
        ("cache_query('toy', 'x', '[1,1,1]')", "VE201", "3 dimensions, not 4"),
        ("cache_query('toy', 'x', null)", "VE201", "NULL"),
    ],
)
def test_bad_calls_are_told(model: psycopg.Connection, call: str, state: str, message: str) -> None:
    with raises(model, state, message):
        model.execute(f"select evervec.{call}".encode())


def test_no_query_has_no_vector(model: psycopg.Connection) -> None:
    assert value(model, "select evervec.cache_query('toy', null, '[1,1,1,1]')") is False
    assert value(model, "select evervec.cached_query('toy', null)") is None
    assert entries(model) == 0


def test_a_reader_needs_the_functions_and_no_table(
    model: psycopg.Connection, superuser_conn: psycopg.Connection
) -> None:
    with role(superuser_conn) as reader:
        superuser_conn.execute(f"set role {OWNER}; grant usage on schema evervec to {reader}")
        superuser_conn.execute(f"set role {reader}")
        for call in ("cached_query('toy', 'x')", "cache_query('toy', 'x', '[1,1,1,1]')"):
            with raises(superuser_conn, "42501", "permission denied for function", ours=False):
                superuser_conn.execute(f"select evervec.{call}".encode())
        superuser_conn.execute(f"set role {OWNER}")
        superuser_conn.execute(
            f"grant execute on function evervec.cached_query, evervec.cache_query to {reader}"
        )
        superuser_conn.execute(f"set role {reader}")

        assert store(superuser_conn)
        assert known(superuser_conn)
        with raises(superuser_conn, "42501", "permission denied for table", ours=False):
            superuser_conn.execute("select * from evervec.query_cache")
        superuser_conn.execute("reset role")


def test_queries_can_be_forgotten_by_model_and_age(film: psycopg.Connection) -> None:
    drain(film)
    add_toy_model(film, "other")
    film.execute("select evervec.cache_query('other', 'x', '[1,1,1,1]')")
    store(film)
    age(film, 3)
    store(film, "fresh")

    assert value(film, "select evervec.cache_delete('film')") == 10
    assert entries(film) == 3
    assert (
        value(film, "select evervec.cache_delete(p_older_than => '2 hours', p_model => 'toy')") == 1
    )
    assert (known(film, "fresh"), known(film, "x", "other")) == (True, True)
    assert value(film, "select evervec.cache_delete()") == 2


def test_a_model_takes_its_queries_with_it(model: psycopg.Connection) -> None:
    store(model)
    model.execute("delete from evervec.model where name = 'toy'")
    assert entries(model) == 0
