"""evervec push: the webhook that the database rings."""

from __future__ import annotations

import json

import psycopg
import pytest

from tests.support import pg_net, pgsql_http
from tests.support.sql_worker import rows
from tests.webhook.conftest import Program

URL = "https://webhook.example.org"


def configured(conn: psycopg.Connection) -> list[dict[str, object]]:
    return rows(conn, "select url, transport, search from evervec.push")


def test_the_best_that_is_there_rings(
    program: Program, conn: psycopg.Connection, superuser_conn: psycopg.Connection
) -> None:
    assert f"{URL} is rung by nobody" in program.run("push", URL).out
    pgsql_http.install(superuser_conn)
    assert f"{URL} is rung by pgsql-http" in program.run("push", URL).out
    pg_net.install(superuser_conn)
    assert f"{URL} is rung by pg_net" in program.run("push", URL).out
    assert configured(conn) == [{"url": URL, "transport": "auto", "search": False}]


def test_one_may_be_insisted_on(
    program: Program, conn: psycopg.Connection, superuser_conn: psycopg.Connection
) -> None:
    pgsql_http.install(superuser_conn)
    pg_net.install(superuser_conn)

    said = program.run("push", URL, "--transport", "http", "--search", "--json").out

    assert json.loads(said) == {"url": URL, "transport": "http"}
    assert configured(conn) == [{"url": URL, "transport": "http", "search": True}]


def test_it_ends(program: Program, conn: psycopg.Connection) -> None:
    program.run("push", URL)

    assert program.run("push", "--off").out == "Nobody is rung any more.\n"
    assert program.run("push", "--off").out == "Nobody was rung.\n"
    assert json.loads(program.run("push", "--off", "--json").out) == {
        "url": None,
        "transport": None,
    }
    assert configured(conn) == []


@pytest.mark.parametrize("arguments", [(), (URL, "--off")])
def test_it_wants_a_url_or_off(program: Program, arguments: tuple[str, ...]) -> None:
    failed = program.run("push", *arguments)

    assert (failed.code, failed.out) == (2, "")
    assert "--off" in failed.err


def test_what_is_no_address_is_refused(program: Program) -> None:
    failed = program.run("push", "https://user:secret@webhook.example.org")

    assert failed.code == 1
    assert "secret" not in failed.err
