"""PEERS.md 39: logical replication, out of this database and into it."""

from __future__ import annotations

import psycopg

from tests.support.in_step import assert_in_step, drain_all, reconcile
from tests.support.sql_worker import drain, rows


def test_peer_39_a_publication_for_all_tables_breaks_nothing(
    film: psycopg.Connection, superuser_conn: psycopg.Connection
) -> None:
    """PostgreSQL refuses UPDATE and DELETE on a published table without a replica identity."""
    superuser_conn.execute("set client_min_messages = error")
    superuser_conn.execute("create publication everything for all tables")

    drain(film)
    film.execute("update film set title = 'x' where id = 1; delete from film where id = 2")
    film.execute("update film set id = 100 where id = 3; insert into film values (11, 'New')")
    drain(film)
    assert_in_step(film)
    film.execute("truncate film")
    drain(film)
    film.execute("select evervec.tick()")
    film.execute("select evervec.untrack('film')")


def test_peer_39_every_table_of_ours_has_a_replica_identity(film: psycopg.Connection) -> None:
    without = rows(
        film,
        """
        select c.oid::regclass::text
          from pg_class c
         where (c.relnamespace = 'evervec'::regnamespace or c.relname = 'film_embedding')
           and c.relkind in ('r', 'p') and c.relpersistence = 'p' and c.relreplident <> 'f'
           and not exists (select from pg_index i where i.indrelid = c.oid and i.indisprimary)
        """,
    )
    assert without == []


def test_peer_39_what_replication_applies_is_found(
    film: psycopg.Connection, superuser_conn: psycopg.Connection
) -> None:
    """An apply worker writes under session_replication_role = replica: no trigger fires."""
    drain(film)
    superuser_conn.execute("set session_replication_role = replica")
    superuser_conn.execute("insert into film values (11, 'Applied'); delete from film where id = 1")
    superuser_conn.execute("update film set title = 'Applied, too' where id = 2")
    assert drain(film).texts == []

    reconcile(film, "film")

    assert len(drain_all(film).texts) == 2
    assert_in_step(film)
