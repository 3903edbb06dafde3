"""Searches in SQL whose words the webhook embeds, where the owner has opted in."""

from __future__ import annotations

import hashlib

import psycopg
import pytest

from evervec.service.state import APPLICATION_NAME
from tests.support import pgsql_http
from tests.support.cluster import Database
from tests.support.roles import role, session_of
from tests.support.sql_worker import drain, raises, rows, toy_vector, value

WEBHOOK = "http://127.0.0.1:9"
SEARCH = "select row_key from evervec.search('film', 'Film 7', 3)"
ANSWER = f'{{"model": "toy", "vectors": [{toy_vector("Title: Film 7")}], "cached": 0}}'


@pytest.fixture
def asking(film: psycopg.Connection, superuser_conn: psycopg.Connection) -> psycopg.Connection:
    """Ten films with vectors, and a webhook that knows the vector of the seventh."""
    drain(film)
    pgsql_http.install(superuser_conn)
    pgsql_http.answer(superuser_conn, 200, ANSWER)
    film.execute("select evervec.configure_push(%s, p_search => true)", [WEBHOOK])
    return film


def test_words_that_nobody_has_searched_for_are_embedded_by_the_webhook(
    asking: psycopg.Connection, superuser_conn: psycopg.Connection
) -> None:
    assert rows(asking, SEARCH)[0] == {"row_key": {"id": 7}}

    (request,) = pgsql_http.sent(superuser_conn)
    assert (request["uri"], request["timeout"]) == (f"{WEBHOOK}/v1/embed", "5000")
    assert request["content"] == '{"model": "toy", "texts": ["Film 7"]}'
    token = request["headers"]["Authorization"].removeprefix("Bearer ")
    digest = hashlib.sha256(token.encode()).digest()
    assert rows(asking, "select name, scopes from evervec.check_token(%s)", digest) == [
        {"name": "evervec.search", "scopes": ["read"]}
    ]


def test_known_words_are_not_asked_for(
    asking: psycopg.Connection, superuser_conn: psycopg.Connection
) -> None:
    asking.execute(
        "select evervec.cache_query('toy', 'Film 7', %s::vector)", [toy_vector("Title: Film 7")]
    )
    assert rows(asking, SEARCH)[0] == {"row_key": {"id": 7}}
    assert pgsql_http.sent(superuser_conn) == []


def test_without_the_option_the_error_is_what_it_was(asking: psycopg.Connection) -> None:
    asking.execute("select evervec.configure_push(%s)", [WEBHOOK])
    with raises(asking, "VE207", "the vector of these words is not known"):
        asking.execute(SEARCH.encode())


@pytest.mark.parametrize("program", [APPLICATION_NAME, "evervec"])
def test_the_programs_of_evervec_ask_their_provider_themselves(
    asking: psycopg.Connection, program: str
) -> None:
    asking.execute("select set_config('application_name', %s, false)", [program])
    with raises(asking, "VE207", "the vector of these words is not known"):
        asking.execute(SEARCH.encode())


@pytest.mark.parametrize(
    ("status", "content", "detail"),
    [
        (400, '{"title": "no profile"}', 'it answered 400: {"title": "no profile"}'),
        (None, "Operation timed out", "Operation timed out"),
        (200, "<html>", "invalid input syntax for type json"),
        (200, "{}", "it answered 200"),
        (200, '{"vectors": ["x"]}', "invalid input syntax for type vector"),
    ],
)
def test_a_webhook_that_gives_no_vector_is_one_clear_error(
    asking: psycopg.Connection,
    superuser_conn: psycopg.Connection,
    status: int | None,
    content: str,
    detail: str,
) -> None:
    pgsql_http.answer(superuser_conn, status, content)
    with raises(asking, "VE424", 'no vector of these words by model "toy"') as error:
        asking.execute(SEARCH.encode())
    assert detail in (error.value.diag.message_detail or "")
    assert "evv_" not in str(error.value)


def test_a_reader_searches_and_sees_neither_token_nor_how(
    asking: psycopg.Connection, superuser_conn: psycopg.Connection, database: Database
) -> None:
    with role(superuser_conn) as reader:
        asking.execute("select evervec.grant_access(%s, 'reader')", [reader])
        with session_of(database, reader) as session:
            assert rows(session, SEARCH)[0] == {"row_key": {"id": 7}}
            for forbidden in (
                "select * from evervec.secret",
                "select evervec.secret_values('search')",
                "select evervec.embed_by_service('toy', 'x')",
                "select evervec.post_json('http://127.0.0.1', '{}', '{}', '1 s')",
            ):
                with raises(session, "42501", "permission denied", ours=False):
                    session.execute(forbidden.encode())


def test_a_read_only_transaction_searches(asking: psycopg.Connection) -> None:
    with asking.transaction():
        asking.execute("set transaction read only")
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction), asking.transaction():
            asking.execute("create table x ()")
        assert value(asking, "select evervec.query_of('film', 'Film 7') is not null")


def test_the_token_is_worthless_when_push_is_off_or_configured_anew(
    asking: psycopg.Connection,
) -> None:
    good = "select count(*) from evervec.tokens() where revoked_at is null"
    former = value(asking, "select * from evervec.secret_values('search')")
    asking.execute("select evervec.configure_push(%s, p_search => true)", [WEBHOOK])
    assert value(asking, good) == 1
    assert value(asking, "select * from evervec.secret_values('search')") != former

    asking.execute("select evervec.push_off()")

    assert value(asking, good) == 0
    assert rows(asking, "select * from evervec.secret_values('search')") == []
