"""Changes that fire no trigger: a bypass, a replica, disabled triggers; reconcile finds them."""

from __future__ import annotations

import psycopg

from tests.support.in_step import assert_in_step, drain_all, reconcile
from tests.support.sql_worker import drain, rows, value

UNSEEN = """
    insert into film values (11, 'New'), (12, null);
    update film set title = 'x' where id = 1;
    update film set title = null where id = 2;
    delete from film where id in (3, 4);
    update film set id = 100 where id = 5;
"""


def test_bypass_logs_nothing_and_reconcile_finds_it(film: psycopg.Connection) -> None:
    drain(film)
    film.execute("set evervec.bypass = on")
    film.execute(UNSEEN)
    film.execute("reset evervec.bypass")
    assert value(film, "select count(*) from evervec.change_log") == 0

    found = reconcile(film, "film")

    assert (found["missing"], found["stale"], found["orphaned"]) == (2, 2, 3)
    drained = drain_all(film)
    assert sorted(drained.texts) == ["Title: Film 5", "Title: New", "Title: x"]
    assert_in_step(film)
    found = reconcile(film, "film")
    assert (found["missing"], found["stale"], found["orphaned"]) == (0, 0, 0)


def test_a_bypassed_truncate_is_found(film: psycopg.Connection) -> None:
    drain(film)
    film.execute("set evervec.bypass = on")
    film.execute("truncate film")
    film.execute("set evervec.bypass = off")

    assert reconcile(film, "film")["orphaned"] == 10
    drain_all(film)
    assert_in_step(film)


def test_bypass_ends_with_its_transaction_when_it_is_local(film: psycopg.Connection) -> None:
    drain(film)
    with film.transaction():
        film.execute("set local evervec.bypass = on")
        film.execute("update film set title = 'unseen' where id = 1")
    film.execute("update film set title = 'seen' where id = 2")

    assert drain(film).texts == ["Title: seen"]


def test_replica_role_and_reconcile(
    film: psycopg.Connection, superuser_conn: psycopg.Connection
) -> None:
    """session_replication_role = replica: logical replication's apply, a restore, fires nothing."""
    drain(film)
    superuser_conn.execute("set session_replication_role = replica")
    superuser_conn.execute(UNSEEN)

    found = reconcile(film, "film")

    assert (found["missing"], found["stale"], found["orphaned"]) == (2, 2, 3)
    drain_all(film)
    assert_in_step(film)


def test_disabled_triggers_and_reconcile(film: psycopg.Connection) -> None:
    drain(film)
    film.execute("alter table film disable trigger user")
    film.execute(UNSEEN)
    film.execute("alter table film enable trigger user")

    reconcile(film, "film")
    drain_all(film)
    assert_in_step(film)


def test_reconcile_is_interrupted_and_resumed(film: psycopg.Connection) -> None:
    drain(film)
    film.execute("set evervec.bypass = on")
    film.execute("update film set title = 'x' || id")
    film.execute("reset evervec.bypass")

    slices = []
    while True:
        part = rows(film, "select * from evervec.reconcile('film', 3)")[0]
        slices.append(part["examined"])
        if part["examined"] == 0:
            break
        assert part["examined"] <= 3

    assert sum(slices) >= 10
    assert len(drain_all(film).texts) == 10
    assert_in_step(film)
