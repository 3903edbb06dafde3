"""Tokens: made once, checked by their hash, and worthless when expired or revoked."""

from __future__ import annotations

import hashlib
import re
from typing import Any

import psycopg
import pytest

from tests.support.sessions import sessions
from tests.support.sql_worker import Row, raises, rows, value


def created(conn: psycopg.Connection, name: str = "web", **options: Any) -> str:
    arguments = "".join(f", p_{option} => %s" for option in options)
    call = f"select evervec.create_token(%s{arguments})"
    return str(value(conn, call, name, *options.values()))


def checked(conn: psycopg.Connection, token: str) -> list[Row]:
    digest = hashlib.sha256(token.encode()).digest()
    return rows(conn, "select * from evervec.check_token(%s)", digest)


def listed(conn: psycopg.Connection) -> list[Row]:
    return rows(conn, "select * from evervec.tokens()")


def test_a_token_tells_whom_it_stands_for(conn: psycopg.Connection) -> None:
    token = created(conn, tenant="acme")
    assert re.fullmatch("evv_[0-9a-f]{64}", token)
    assert checked(conn, token) == [{"name": "web", "scopes": ["read"], "tenant": "acme"}]


def test_no_two_tokens_are_alike(conn: psycopg.Connection) -> None:
    assert len({created(conn, str(n)) for n in range(20)}) == 20


@pytest.mark.parametrize(
    ("given", "held"),
    [
        (["read"], ["read"]),
        (["write"], ["read", "write"]),
        (["admin"], ["read", "write", "admin"]),
        (["write", "read", "write"], ["read", "write"]),
        (["admin", "read"], ["read", "write", "admin"]),
    ],
)
def test_a_scope_includes_those_below_it(
    conn: psycopg.Connection, given: list[str], held: list[str]
) -> None:
    assert checked(conn, created(conn, scopes=given))[0]["scopes"] == held


@pytest.mark.parametrize("change", [lambda t: t[:-1], lambda t: t + "0", str.upper, lambda _: ""])
def test_what_is_not_the_token_stands_for_nobody(conn: psycopg.Connection, change: Any) -> None:
    token = created(conn)
    assert checked(conn, change(token)) == []
    assert rows(conn, "select * from evervec.check_token(null)") == []


def test_the_hash_is_no_token(conn: psycopg.Connection) -> None:
    """Who reads the table cannot get in with what stands there."""
    created(conn)
    (stored,) = rows(conn, "select token_hash from evervec.api_token")
    assert checked(conn, stored["token_hash"].hex()) == []


def test_an_expired_token_stands_for_nobody(conn: psycopg.Connection) -> None:
    token = created(conn, expires="1 hour")
    assert len(checked(conn, token)) == 1
    conn.execute("update evervec.api_token set expires_at = now() - interval '1 second'")
    assert checked(conn, token) == []


def test_a_revoked_token_stands_for_nobody_and_its_name_is_free(conn: psycopg.Connection) -> None:
    former = created(conn)
    conn.execute("select evervec.revoke_token('web')")
    assert checked(conn, former) == []

    present = created(conn)
    assert checked(conn, former) == []
    assert len(checked(conn, present)) == 1
    assert [row["revoked_at"] is None for row in listed(conn)] == [False, True]


def test_the_list_shows_no_hash(conn: psycopg.Connection) -> None:
    token = created(conn, tenant="acme", expires="90 days")
    (row,) = listed(conn)
    assert set(row) == {
        *("name", "scopes", "tenant", "created_at", "expires_at", "revoked_at", "last_used_at")
    }
    assert token not in str(row)
    assert (row["expires_at"] - row["created_at"]).days == 90


def test_the_use_of_a_token_is_written_once_a_minute(conn: psycopg.Connection) -> None:
    token = created(conn)
    version = "select ctid::text from evervec.api_token"
    assert listed(conn)[0]["last_used_at"] is None
    with conn.transaction():  # in which the minute stands still
        checked(conn, token)
        written = value(conn, version), listed(conn)[0]["last_used_at"]
        checked(conn, token)
        assert (value(conn, version), listed(conn)[0]["last_used_at"]) == written
    assert (written[1].second, written[1].microsecond) == (0, 0)

    conn.execute("update evervec.api_token set last_used_at = now() - interval '1 day'")
    checked(conn, token)
    assert listed(conn)[0]["last_used_at"] >= written[1]


def test_a_refused_token_counts_as_no_use(conn: psycopg.Connection) -> None:
    token = created(conn)
    conn.execute("select evervec.revoke_token('web')")
    checked(conn, token)
    assert listed(conn)[0]["last_used_at"] is None


def test_a_check_waits_for_nobody(conn: psycopg.Connection, url: str) -> None:
    token = created(conn)
    with sessions(url) as two:
        revoking, webhook = two.begin(), two.open()
        revoking.execute("select evervec.revoke_token('web')")
        webhook.execute("set statement_timeout = '10s'")
        assert len(checked(webhook, token)) == 1
        revoking.commit()
        assert checked(webhook, token) == []


def test_a_check_works_where_nothing_may_be_written(conn: psycopg.Connection) -> None:
    token = created(conn)
    conn.execute("set default_transaction_read_only = on")
    assert len(checked(conn, token)) == 1


@pytest.mark.parametrize("name", [None, "", " \n"])
def test_a_token_has_a_name(conn: psycopg.Connection, name: str | None) -> None:
    with raises(conn, "VE111", "the name of a token is empty"):
        conn.execute("select evervec.create_token(%s)", [name])


@pytest.mark.parametrize("scopes", [None, [], [None], ["read", None], ["root"], ["read", "READ"]])
def test_a_token_has_known_scopes(conn: psycopg.Connection, scopes: Any) -> None:
    with raises(conn, "VE111", "p_scopes cannot be"):
        conn.execute("select evervec.create_token('web', %s::text[])", [scopes])
    assert listed(conn) == []


@pytest.mark.parametrize("expires", ["0", "-1 day"])
def test_a_token_cannot_have_expired_already(conn: psycopg.Connection, expires: str) -> None:
    with raises(conn, "VE111", "expired already"):
        created(conn, expires=expires)


def test_a_name_is_taken_until_its_token_is_revoked(conn: psycopg.Connection) -> None:
    token = created(conn)
    with raises(conn, "VE411", 'there is a token "web" already'):
        created(conn, scopes=["admin"])
    assert checked(conn, token)[0]["scopes"] == ["read"]


def test_what_is_revoked_must_exist(conn: psycopg.Connection) -> None:
    with raises(conn, "VE412", 'no token "web"') as none:
        conn.execute("select evervec.revoke_token('web')")
    assert none.value.diag.message_detail == "There are none in use."
    created(conn, "app")
    with raises(conn, "VE412", 'no token "web"') as others:
        conn.execute("select evervec.revoke_token('web')")
    assert others.value.diag.message_detail == "Those in use: app."


def test_what_is_revoked_is_revoked_once(conn: psycopg.Connection) -> None:
    created(conn)
    conn.execute("select evervec.revoke_token('web')")
    with raises(conn, "VE412", 'no token "web"'):
        conn.execute("select evervec.revoke_token('web')")
