"""PEERS.md 30: dump and restore, also to the next version; evervec goes and comes back."""

from __future__ import annotations

import psycopg
import pytest

from evervec import migrate
from tests.support import dumps
from tests.support.cluster import Cluster, Database, running_own_cluster
from tests.support.in_step import assert_in_step
from tests.support.sql_worker import add_toy_model, drain, value


def assert_changes_are_noticed(conn: psycopg.Connection) -> None:
    """Every kind of change to film, after which vectors and rows agree again."""
    assert_in_step(conn)
    conn.execute("insert into film values (11, 'New')")
    conn.execute("update film set title = 'Changed' where id = 1")
    conn.execute("update film set id = 100 where id = 2")
    conn.execute("delete from film where id = 3")

    assert len(drain(conn).texts) == 3
    assert_in_step(conn)


def test_peer_30_a_restored_dump_notices_every_change(
    film: psycopg.Connection, database: Database, cluster: Cluster
) -> None:
    drain(film)

    with cluster.database("template1") as restored:
        dumps.copy(database.superuser_url, restored.superuser_url)
        with psycopg.connect(restored.url, autocommit=True) as conn:
            assert_changes_are_noticed(conn)


def test_peer_30_a_dump_with_work_in_hand_loses_none_of_it(
    film: psycopg.Connection, database: Database, cluster: Cluster
) -> None:
    film.execute("select evervec.claim_jobs(3)")
    film.execute("update film set title = 'Changed' where id = 1")

    with cluster.database("template1") as restored:
        dumps.copy(database.superuser_url, restored.superuser_url)
        with psycopg.connect(restored.url, autocommit=True) as conn:
            conn.execute("update evervec.processing_queue set lease_expires_at = now()")
            drain(conn)
            assert_in_step(conn)


def test_peer_30_a_dump_goes_to_another_major_version(
    film: psycopg.Connection, database: Database
) -> None:
    drain(film)

    with running_own_cluster() as own, own.cluster.database("template1") as restored:
        with psycopg.connect(restored.superuser_url) as conn:
            if conn.info.server_version // 10_000 == film.info.server_version // 10_000:
                pytest.skip("the server under test is no other version")
        dumps.copy(database.superuser_url, restored.superuser_url)
        with psycopg.connect(restored.url, autocommit=True) as conn:
            assert_changes_are_noticed(conn)


def test_peer_30_down_to_nothing_and_up_again_costs_vectors_and_no_row(
    film: psycopg.Connection, url: str
) -> None:
    drain(film)

    migrate.rollback(url, everything=True, drop_vectors=True)
    migrate.apply(url)
    film.execute("discard plans")

    assert value(film, "select count(*) from film") == 10
    add_toy_model(film)
    film.execute("select evervec.track('film', '{title}', p_model => 'toy')")
    drain(film)
    assert_changes_are_noticed(film)
