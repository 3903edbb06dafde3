"""The commands that say who may call the webhook."""

from __future__ import annotations

import json
import re

import psycopg

from evervec.db import Database
from evervec.records import Principal
from tests.support.sql_worker import value
from tests.webhook.conftest import Program


def test_a_token_is_printed_once_and_alone(program: Program, url: str) -> None:
    made = program.run("token", "create", "web", "--scope", "write", "--tenant", "acme")
    assert (made.code, made.err) == (0, "")
    assert re.fullmatch(r"evv_[0-9a-f]{64}\n", made.out)
    token = made.out.strip()
    with Database(url) as db:
        found = db.check_token(token)
        assert found is not None
        assert found == Principal("web", frozenset({"read", "write"}), "acme")
        assert db.check_token(token[:-1]) is None

    for arguments in (["token", "list"], ["token", "list", "--json"]):
        listed = program.run(*arguments).out
        assert "web" in listed
        assert "acme" in listed
        assert token[4:] not in listed


def test_tokens_are_listed_and_revoked(program: Program, conn: psycopg.Connection) -> None:
    assert program.run("token", "list").out == (
        "There are no tokens. Try: evervec token create shop_web\n"
    )
    made = json.loads(program.run("token", "create", "web", "--days", "90", "--json").out)
    program.run("token", "create", "app")
    program.run("token", "create", "old", "--days", "1")
    conn.execute("update evervec.api_token set expires_at = now() where name = 'old'")
    assert (made["name"], made["token"][:4]) == ("web", "evv_")
    assert program.run("token", "revoke", "app").out == "The token app is revoked.\n"

    web, app, old = program.run("token", "list").out.splitlines()[1:]
    assert "until 20" in web
    assert "revoked 20" in app
    assert "expired 20" in old
    assert json.loads(program.run("token", "revoke", "web", "--json").out) == {"name": "web"}


def test_what_cannot_be_made_or_revoked(program: Program, conn: psycopg.Connection) -> None:
    program.run("token", "create", "web")
    for arguments, state in (
        (("create", "web"), "VE411"),
        (("create", " "), "VE111"),
        (("revoke", "app"), "VE412"),
    ):
        failed = program.run("token", *arguments)
        assert (failed.code, failed.out) == (1, "")
        assert state in failed.err
        assert "HINT" in failed.err
    assert program.run("token", "create", "app", "--scope", "root").code == 2
    assert program.run("token", "create", "app", "--days", "0").code == 2


def test_a_secret_is_rotated_and_not_shown(program: Program, conn: psycopg.Connection) -> None:
    secrets = "select string_agg(value, ' ') from evervec.secret"
    said = [
        program.run("secret", "rotate").out,
        program.run("secret", "rotate", "--overlap", "0").out,
        program.run("secret", "rotate", "--overlap", "60", "--json").out,
    ]
    assert said == [
        "Rings have a new secret; the former one is good for 10 more minutes.\n",
        "Rings have a new secret; the former one is no good any more.\n",
        '{"overlap_minutes": 60}\n',
    ]
    assert len(value(conn, secrets).split()) == 2
    assert program.run("secret", "rotate", "--overlap", "-1").code == 2
