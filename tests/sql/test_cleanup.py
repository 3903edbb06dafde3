"""cleanup_expired: everything past its time goes, counted by kind, in slices of so many rows."""

from __future__ import annotations

import psycopg
import pytest

from tests.support.roles import role
from tests.support.sql_worker import add_toy_model, drain, raises, rows, value

# A statement that leaves one row past its time and one that is not, and the kind of both.
LEFT = {
    "analysis_cache": (
        "insert into evervec.analysis_cache (user_id, name, value, expires_at)"
        " values ('ann', 'past', '1', now()), ('ann', 'present', '1', now() + interval '1 hour')"
    ),
    "api_token": (
        "insert into evervec.api_token (token_hash, name, scopes, expires_at, revoked_at)"
        " values ('a', 'past', '{read}', now() + interval '1 day', now() - interval '91 days'),"
        "        ('b', 'present', '{read}', now() - interval '89 days', null),"
        "        ('c', 'ever', '{read}', null, null)"
    ),
    "interaction_key": (
        "insert into evervec.interaction_key (user_id, key, interaction_id, created_at)"
        " values ('ann', 'past', 1, now() - interval '31 days'),"
        "        ('ann', 'present', 1, now() - interval '29 days')"
    ),
    "job_receipt": (
        "insert into evervec.job_receipt"
        " (job_id, task_type, outcome, attempts, generation, created_at, finished_at)"
        " values (1, 'embed', 'completed', 0, 1, now(), now() - interval '25 hours'),"
        "        (2, 'embed', 'completed', 0, 1, now(), now() - interval '23 hours')"
    ),
    "recommendation_cache": (
        "insert into evervec.recommendation_cache (user_id, source_id, context_hash, seen,"
        " row_keys, scores, similarities, because, expires_at)"
        " select 'ann', 1, 'x', pg_current_snapshot(), '{}', '{}', '{}', '{}', e"
        "   from unnest(array[now(), now() + interval '1 hour']) e"
    ),
    "ring_nonce": (
        "insert into evervec.ring_nonce values ('past', now() - interval '11 minutes'),"
        " ('present', now() - interval '9 minutes')"
    ),
}


def clean(conn: psycopg.Connection, limit: int = 10_000) -> dict[str, int]:
    """What one call removed, kinds with nothing left out."""
    found = rows(conn, "select kind, removed from evervec.cleanup_expired(%s)", limit)
    return {row["kind"]: row["removed"] for row in found if row["removed"]}


@pytest.mark.parametrize("kind", LEFT)
def test_what_is_past_its_time_goes_and_what_is_not_stays(
    conn: psycopg.Connection, kind: str
) -> None:
    conn.execute(LEFT[kind].encode())
    before = value(conn, f"select count(*) from evervec.{kind}")

    assert (clean(conn), clean(conn)) == ({kind: 1}, {})
    assert value(conn, f"select count(*) from evervec.{kind}") == before - 1


def test_grants_of_a_role_that_is_gone_are_forgotten(
    conn: psycopg.Connection, superuser_conn: psycopg.Connection
) -> None:
    with role(superuser_conn) as gone, role(superuser_conn) as present:
        for name in (gone, present):
            conn.execute("select evervec.grant_access(%s, 'reader')", [name])
        superuser_conn.execute(f"drop owned by {gone}; drop role {gone}; create role {gone}")

        assert clean(conn) == {"access": 1}


def test_kinds_are_the_tables_that_they_are_counted_of(conn: psycopg.Connection) -> None:
    kinds = {row["kind"] for row in rows(conn, "select kind from evervec.cleanup_expired()")}

    tables = rows(conn, "select relname from pg_class where relnamespace = 'evervec'::regnamespace")
    assert kinds <= {row["relname"] for row in tables}


def test_every_expired_row_goes_in_slices_whatever_its_kind(conn: psycopg.Connection) -> None:
    for statement in LEFT.values():
        conn.execute(statement.encode())
    conn.execute(
        "insert into evervec.ring_nonce select 'n' || g, now() - interval '1 hour'"
        " from generate_series(1, 20) g"
    )

    removed = []
    while found := clean(conn, 10):
        removed.append(sum(found.values()))

    assert removed == [10, 10, 6]


def test_no_kind_starves_beside_one_that_never_ends(conn: psycopg.Connection) -> None:
    conn.execute(LEFT["job_receipt"].encode())
    for _ in range(200):
        conn.execute(
            "insert into evervec.ring_nonce select gen_random_uuid()::text, now() - interval '1 h'"
            " from generate_series(1, 5)"
        )
        if "job_receipt" in clean(conn, 5):
            return
    raise AssertionError("200 calls, and none came to the receipt")


def test_a_row_that_somebody_holds_is_passed_over(conn: psycopg.Connection, url: str) -> None:
    add_toy_model(conn)
    conn.execute(
        """
        create table film (id integer primary key, title text);
        insert into film select g, 'Film ' || g from generate_series(1, 3) g;
        select evervec.track('film', '{title}', p_model => 'toy');
        """
    )
    drain(conn)
    conn.execute("update evervec.embedding_cache set used_at = now() - interval '1 year'")
    with psycopg.connect(url) as other:
        other.execute("update evervec.embedding_cache set used_at = now() where ctid = '(0,4)'")
        assert clean(conn)["embedding_cache"] == 2
    assert value(conn, "select count(*) from evervec.embedding_cache") == 1


@pytest.mark.parametrize("limit", [0, -1, None])
def test_a_slice_of_nothing_is_refused(conn: psycopg.Connection, limit: int | None) -> None:
    with raises(conn, "VE601", "1 row or more"):
        conn.execute("select evervec.cleanup_expired(%s)", [limit])
