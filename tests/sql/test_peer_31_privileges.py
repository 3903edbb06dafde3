"""PEERS.md 31: a worker can work and do nothing else; a reader sees what its policies let it."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from evervec.config import Config
from evervec.db import Database as Client
from evervec.providers import Providers
from evervec.worker import Worker
from tests.support.cluster import Cluster, Database
from tests.support.roles import role, session_of
from tests.support.sql_worker import raises, rows, toy_vector, value


@pytest.fixture
def somebody(superuser_conn: psycopg.Connection) -> Iterator[str]:
    with role(superuser_conn) as name:
        superuser_conn.execute(f"alter role {name} login password '{name}'")
        yield name


@pytest.fixture
def secret(conn: psycopg.Connection, somebody: str) -> psycopg.Connection:
    """secret(id, tenant, body), of the offline model; rows 1 to 20, the first two somebody's."""
    conn.execute(
        f"""
        create table secret (id integer primary key, tenant name, body text);
        insert into secret select g, case when g <= 2 then '{somebody}' else 'other' end,
                                  'Secret ' || g
          from generate_series(1, 20) g;
        alter table secret enable row level security;
        create policy own on secret using (tenant = current_user);
        select evervec.track('secret', p_template => '{{body}}');
        """
    )
    return conn


def test_peer_31_a_granted_worker_can_work(
    secret: psycopg.Connection, cluster: Cluster, database: Database, somebody: str
) -> None:
    """The real worker, logged in as that role: it embeds, finishes, and counts what it did."""
    secret.execute("update evervec.model set requests_per_minute = 1000 where name = 'local'")
    secret.execute("select evervec.grant_access(%s, 'worker')", [somebody])
    url = cluster.url(database.name, somebody)
    with Client(url) as db:
        summary = Worker(db, Providers(), Config(database_url=url)).drain()

    assert (summary.embedded, summary.dead) == (20, 0)
    assert value(secret, "select percent from evervec.coverage('secret')") == 100
    assert value(secret, "select sum(embedded) from evervec.batch_log") == 20


def test_peer_31_a_granted_worker_can_do_nothing_else(
    secret: psycopg.Connection, database: Database, somebody: str
) -> None:
    before = _rights(secret, somebody)
    assert before == set()
    secret.execute("select evervec.grant_access(%s, 'worker')", [somebody])

    assert _rights(secret, somebody) == {
        *("claim_jobs", "complete_jobs", "fail_jobs", "release_jobs", "extend_lease"),
        *("begin_call", "end_call", "log_batch", "tick", "maintain", "pending"),
        "due_indexes",
        *(
            "get_source",
            "get_model",
            "index_of",
            "running_build",
            "estimated_rows",
            "archived_rows",
            "partitions_of",
        ),
        "vector_indexes",
        *("check_ring", "check_token"),
        *("current_user_id", "acts_for_all", "check_user"),
        *("update_user_embedding", "update_user_embeddings"),
        *("status: SELECT", "queue_health: SELECT", "schema_version: SELECT"),
    }
    with session_of(database, somebody) as conn:
        for forbidden in (
            "select * from secret",
            "select * from secret_embedding",
            "select * from evervec.processing_queue",
            "select * from evervec.find_similar('secret', '[1]')",
            "select evervec.render('secret', '{\"id\": 3}')",
            "select evervec.track('secret')",
            "create table evervec.mine (id integer)",
            "insert into evervec.change_log (source_id, operation) values (1, 'T')",
        ):
            with raises(conn, "42501", "permission denied", ours=False):
                conn.execute(forbidden.encode())


def test_peer_31_a_reader_sees_no_more_than_row_level_security_lets_it(
    secret: psycopg.Connection, database: Database, somebody: str
) -> None:
    drain_local(secret, database)
    secret.execute(f"grant select on secret to {somebody}")
    secret.execute("select evervec.grant_access(%s, 'reader')", [somebody])

    with session_of(database, somebody) as conn:
        query = "(select embedding from secret_embedding where id = 1)"
        for found in (
            rows(conn, "select id from secret_embedding"),
            rows(conn, f"select id from evervec.nearest_secret({query}, 100)"),
            rows(conn, f"select id from evervec.find_similar_secret({query}, 100)"),
        ):
            assert sorted(row["id"] for row in found) == [1, 2]
        similar = rows(conn, f"select row_key from evervec.find_similar('secret', {query}, 100)")
        assert sorted(row["row_key"]["id"] for row in similar) == [1, 2]
        assert rows(conn, "select * from evervec.get_embedding('secret', '{\"id\": 3}')") == []
        for change in (
            "insert into secret_embedding select * from secret_embedding",
            "update secret_embedding set note = 'x'",
            "delete from secret_embedding",
            "truncate secret_embedding",
            "select * from evervec.vector_secret",
            "select evervec.render_secret('{}', null)",
            "select evervec.hashes_secret(null)",
        ):
            with raises(conn, "42501", "permission denied", ours=False):
                conn.execute(change.encode())


def test_peer_31_nobody_else_sees_a_vector(
    secret: psycopg.Connection, database: Database, somebody: str
) -> None:
    drain_local(secret, database)
    with session_of(database, somebody) as conn:
        for forbidden in (
            "select * from secret_embedding",
            f"select * from evervec.nearest_secret('{toy_vector('x')}')",
            "select * from evervec.status",
            "select * from evervec.embedding_cache",
        ):
            with raises(conn, "42501", "permission denied", ours=False):
                conn.execute(forbidden.encode())


def test_peer_31_no_api_key_is_in_a_table(secret: psycopg.Connection) -> None:
    """They live in the worker's environment: there is no column for them."""
    named = rows(
        secret,
        """
        select c.relname, a.attname
          from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0
         where c.relnamespace = 'evervec'::regnamespace
           and a.attname ~* '(api_?key|secret|password|credential|authorization|bearer)'
           and a.attname <> 'secret_id'
        """,
    )
    assert named == []


@pytest.mark.parametrize("kind", ["reader", "writer", "worker", "admin"])
def test_peer_31_no_kind_of_access_reads_the_secret_of_rings_or_makes_tokens(
    secret: psycopg.Connection, database: Database, somebody: str, kind: str
) -> None:
    secret.execute("select evervec.rotate_secret(), evervec.create_token('web')")
    secret.execute("select evervec.grant_access(%s, %s)", [somebody, kind])
    with session_of(database, somebody) as conn:
        for forbidden in (
            "select value from evervec.secret",
            "select token_hash from evervec.api_token",
            "select * from evervec.secret_values('ring')",
            "select * from evervec.sign_ring('')",
            "select evervec.keep_secret('ring', 'mine')",
            "select evervec.rotate_secret()",
            "select evervec.create_token('mine', '{admin}')",
            "delete from evervec.ring_nonce",
        ):
            with raises(conn, "42501", "permission denied", ours=False):
                conn.execute(forbidden.encode())


def drain_local(conn: psycopg.Connection, database: Database) -> None:
    """Embed with the offline model."""
    with Client(database.url) as db:
        Worker(db, Providers(), Config(database_url=database.url)).drain()
    assert value(conn, "select count(*) from secret_embedding") == 20


def _rights(conn: psycopg.Connection, name: str) -> set[str]:
    """What a role may execute in schema evervec, and what it may do with relations there."""
    functions = rows(
        conn,
        "select p.proname as allowed from pg_proc p where p.pronamespace = 'evervec'::regnamespace"
        " and has_function_privilege(%s, p.oid, 'execute')",
        name,
    )
    relations = rows(
        conn,
        """
        select c.relname || ': ' || p.privilege as allowed
          from pg_class c
          cross join unnest(array['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES',
                                  'TRIGGER']) as p (privilege)
         where (c.relnamespace = 'evervec'::regnamespace
                or c.oid in (select s.target from evervec.source s)
                or c.oid in (select s.relation from evervec.source s))
           and c.relkind in ('r', 'p', 'v', 'm')
           and has_table_privilege(%s, c.oid, p.privilege)
        """,
        name,
    )
    return {row["allowed"] for row in functions + relations}
