"""Row-level security of what is kept of people: by table, by function, by who asks.

Tables and functions are taken from the catalog, so that none can be forgotten.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest

from tests.support.cluster import Database
from tests.support.people import keep_everywhere, user_tables
from tests.support.roles import role, session_of
from tests.support.sql_worker import raises, rows, value

# By type, what a function that is given a user may be given beside.
ARGUMENTS = {"text": "'film'", "jsonb": "'{\"id\": 1}'::jsonb"}


@pytest.fixture
def kept(film: psycopg.Connection) -> psycopg.Connection:
    """ada and bob are in every table that has a user in it, in partitions too."""
    film.execute("select evervec.make_partition(now())")
    for user in ("ada", "bob"):
        keep_everywhere(film, user)
    return film


@pytest.fixture
def somebody(superuser_conn: psycopg.Connection) -> Iterator[str]:
    with role(superuser_conn) as name:
        yield name


@contextmanager
def acting(
    database: Database, name: str, user: str | None, how: str = "evervec.user_id"
) -> Iterator[psycopg.Connection]:
    """A session of a role that speaks for a user, or (None) for nobody."""
    with session_of(database, name) as conn:
        if user is not None:
            conn.execute("select set_config(%s, %s, false)", [how, user])
        yield conn


def seen(conn: psycopg.Connection) -> dict[str, list[str]]:
    """Table → the users whose rows the session sees there."""
    return {
        table: sorted(row["user_id"] for row in rows(conn, f"select distinct user_id from {table}"))
        for table in [*user_tables(conn), "evervec.interaction"]
    }


def open_tables(superuser_conn: psycopg.Connection, name: str) -> None:
    """As if somebody had granted all tables by hand: only row-level security is left."""
    superuser_conn.execute(
        f"grant usage on schema evervec to {name};"
        f"grant select, insert, update, delete on all tables in schema evervec to {name}".encode()
    )


CLAIMS = {
    "evervec.user_id": "ada",
    "request.jwt.claims": '{"sub": "ada", "role": "authenticated"}',
    "request.jwt.claim.sub": "ada",
}


@pytest.mark.parametrize("how", CLAIMS)
@pytest.mark.parametrize("kind", ["reader", "writer"])
def test_a_user_sees_what_is_theirs_in_every_table(
    kept: psycopg.Connection,
    superuser_conn: psycopg.Connection,
    database: Database,
    somebody: str,
    kind: str,
    how: str,
) -> None:
    kept.execute("select evervec.grant_access(%s, %s)", [somebody, kind])
    open_tables(superuser_conn, somebody)
    with acting(database, somebody, CLAIMS[how], how) as conn:
        found = seen(conn)
    assert found == {table: ["ada"] for table in found}


@pytest.mark.parametrize(
    "claims", ["", "none", "{}", "[]", '"ada"', '{"sub": null}', '{"sub": ""}', '{"sub": "eve"}']
)
def test_whoever_is_nobody_sees_nothing(
    kept: psycopg.Connection,
    superuser_conn: psycopg.Connection,
    database: Database,
    somebody: str,
    claims: str,
) -> None:
    kept.execute("select evervec.grant_access(%s, 'reader')", [somebody])
    open_tables(superuser_conn, somebody)
    with acting(database, somebody, claims, "request.jwt.claims") as conn:
        found = seen(conn)
    assert found == {table: [] for table in found}


@pytest.mark.parametrize("kind", ["worker", "admin", "owner"])
def test_who_acts_for_all_sees_all(
    kept: psycopg.Connection,
    superuser_conn: psycopg.Connection,
    database: Database,
    somebody: str,
    kind: str,
) -> None:
    if kind == "owner":
        found = seen(kept)
    else:
        kept.execute("select evervec.grant_access(%s, %s)", [somebody, kind])
        open_tables(superuser_conn, somebody)
        with acting(database, somebody, "ada") as conn:
            found = seen(conn)
    assert found == {table: ["ada", "bob"] for table in found}


def test_a_role_without_rights_sees_no_table_and_no_view(
    kept: psycopg.Connection, database: Database, somebody: str
) -> None:
    with acting(database, somebody, "ada") as conn:
        for table in user_tables(kept):
            with raises(conn, "42501", "permission denied", ours=False):
                conn.execute(f"select * from {table}".encode())


@pytest.mark.parametrize("user", ["ada", None])
def test_a_user_writes_only_what_is_theirs(
    kept: psycopg.Connection,
    superuser_conn: psycopg.Connection,
    database: Database,
    somebody: str,
    user: str | None,
) -> None:
    kept.execute("select evervec.grant_access(%s, 'reader')", [somebody])
    open_tables(superuser_conn, somebody)
    for table in user_tables(kept):
        with acting(database, somebody, user) as conn:
            for theft in (
                f"update {table} set user_id = 'ada' where user_id = 'bob'",
                f"delete from {table} where user_id = 'bob'",
            ):
                assert conn.execute(theft.encode()).rowcount == 0
            if user is not None:
                with raises(conn, "42501", "row-level security policy", ours=False):
                    conn.execute(f"update {table} set user_id = 'bob'".encode())
    for table in user_tables(kept):
        assert value(kept, f"select count(*) from {table} where user_id = 'bob'") == 1


@pytest.mark.parametrize("kind", ["reader", "writer"])
def test_what_a_kind_may_read_is_read_and_never_written(
    kept: psycopg.Connection, database: Database, somebody: str, kind: str
) -> None:
    kept.execute("select evervec.grant_access(%s, %s)", [somebody, kind])
    readable = {"interaction", "row_mark", "user_preference"} if kind == "reader" else set()
    readable |= {"recommendation_cache", "analysis_cache"} if kind == "reader" else set()
    with acting(database, somebody, "ada") as conn:
        for table in [*user_tables(kept), "evervec.interaction"]:
            if table.removeprefix("evervec.") in readable:
                assert rows(conn, f"select distinct user_id from {table}") == [{"user_id": "ada"}]
            else:
                with raises(conn, "42501", "permission denied", ours=False):
                    conn.execute(f"select user_id from {table}".encode())
            for change in (f"delete from {table}", f"update {table} set user_id = user_id"):
                with raises(conn, "42501", "permission denied", ours=False):
                    conn.execute(change.encode())


@pytest.mark.parametrize("user", ["bob", None])
@pytest.mark.parametrize("kind", ["reader", "writer", "worker"])
def test_no_function_does_anything_for_another_user(
    kept: psycopg.Connection, database: Database, somebody: str, kind: str, user: str | None
) -> None:
    """Each that is given a user refuses ada, or is not for that kind at all; a worker's may act."""
    kept.execute("select evervec.grant_access(%s, %s)", [somebody, kind])
    functions = rows(
        kept,
        r"""
        select p.oid::regprocedure::text as signature, p.proname as name, a.allowed,
               array(select format_type(t.oid, null)
                       from unnest(p.proargtypes) with ordinality as t (oid, n)
                      where t.n <= p.pronargs - p.pronargdefaults order by t.n) as types,
               p.proargnames[1:p.pronargs - p.pronargdefaults] as names
          from pg_proc p
          cross join lateral (select has_function_privilege(%s, p.oid, 'execute') as allowed) a
         where p.pronamespace = 'evervec'::regnamespace
           and pg_get_function_arguments(p.oid) ~ '\mp_users? text'
         order by 1
        """,
        somebody,
    )
    assert {f["name"] for f in functions} >= {"check_user", "record_interaction", "forget_user"}
    with acting(database, somebody, user) as conn:
        for function in functions:
            if not function["allowed"] or kind == "worker":
                assert kind != "worker" or not function["allowed"] or function["name"] in WORKERS
                continue
            arguments = ", ".join(
                "'ada'" if name == "p_user" else ARGUMENTS.get(of_type, f"null::{of_type}")
                for name, of_type in zip(function["names"], function["types"], strict=True)
            )
            with raises(conn, "VE501", "another user"):
                conn.execute(f"select * from evervec.{function['name']}({arguments})".encode())


# What a worker may do about users, who acts for all of them.
WORKERS = {"check_user", "update_user_embedding", "update_user_embeddings"}
