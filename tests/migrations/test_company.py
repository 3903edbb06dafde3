"""Several hosts at once, and locks that somebody left."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import psycopg
import pytest

from evervec import migrate
from evervec.errors import EvervecError
from evervec.yoyo_backend import Backend
from tests.support import migrating
from tests.support.cluster import Database
from tests.support.programs import finished, start_evervec, start_yoyo

LOCK_ROW = "insert into yoyo_lock values (1, timezone('utc', now()) - %s::interval, %s)"


@contextmanager
def advisory_lock_held(url: str) -> Iterator[None]:
    """As long as the block runs, no evervec migrates this database."""
    with psycopg.connect(url) as conn:
        conn.execute("select pg_advisory_xact_lock(hashtextextended('evervec.migrate', 0))")
        yield


def waiting(url: str) -> int:
    query = """
        select count(*) from pg_locks
         where locktype = 'advisory' and not granted
           and database = (select oid from pg_database where datname = current_database())
    """
    return int(migrating.rows(url, query)[0][0])


def test_peer_38_two_hosts_at_once_apply_every_migration_once(
    bare_database: Database, database: Database
) -> None:
    url = bare_database.url
    with advisory_lock_held(url):
        hosts = [start_evervec("migrate", "-d", url) for _ in range(2)]
        migrating.wait_for(lambda: waiting(url) == 2)
    results = [finished(host) for host in hosts]
    assert [r.returncode for r in results] == [0, 0], results
    assert migrating.log(url) == migrating.log(database.url)
    assert migrating.schema(url) == migrating.schema(database.url)


def test_twenty_at_once_apply_every_migration_once(bare_database: Database) -> None:
    url = bare_database.url
    with ThreadPoolExecutor(20) as pool:
        with advisory_lock_held(url):
            runs = [pool.submit(migrate.apply, url) for _ in range(20)]
            migrating.wait_for(lambda: waiting(url) == 20)
        outcomes = [run.result().done for run in runs]
    assert sorted(outcomes, key=len)[-1] == tuple(migrating.MIGRATION_IDS)
    assert sum(len(done) for done in outcomes) == len(migrating.MIGRATION_IDS)


def test_yoyo_and_evervec_at_once_apply_every_migration_once(bare_database: Database) -> None:
    url = bare_database.url
    hosts = [start_yoyo("apply", url), start_evervec("migrate", "-d", url)]
    results = [finished(host) for host in hosts]
    assert [r.returncode for r in results] == [0, 0], results
    applied = [migration_id for operation, migration_id in migrating.log(url)]
    assert applied == migrating.MIGRATION_IDS


def test_a_lock_that_evervec_left_is_broken_at_once(url: str, conn: psycopg.Connection) -> None:
    migrate.rollback(url)
    conn.execute(LOCK_ROW, ["1 second", -4711])
    assert list(migrate.apply(url).done) == migrating.MIGRATION_IDS[-1:]
    assert migrating.rows(url, "select pid from yoyo_lock") == []


def test_a_lock_that_yoyo_left_is_broken_when_nobody_can_hold_it(url: str) -> None:
    migrate.rollback(url)
    with psycopg.connect(url, autocommit=True) as conn:
        conn.execute(LOCK_ROW, ["1 second", 4711])
    assert list(migrate.apply(url).done) == migrating.MIGRATION_IDS[-1:]


def test_a_lock_older_than_every_session_is_broken(url: str, conn: psycopg.Connection) -> None:
    migrate.rollback(url)
    conn.execute(LOCK_ROW, ["1 hour", 4711])
    assert list(migrate.apply(url).done) == migrating.MIGRATION_IDS[-1:]


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits longer than a moment for yoyo's lock."""
    monkeypatch.setattr(Backend.lock.__wrapped__, "__defaults__", (0.2,))  # type: ignore[attr-defined]


def test_a_lock_that_yoyo_may_still_hold_is_left_alone(
    url: str, conn: psycopg.Connection, impatient: None
) -> None:
    migrate.rollback(url)
    conn.execute(LOCK_ROW, ["1 second", os.getpid()])  # and this session is open
    with pytest.raises(EvervecError, match=f"yoyo process {os.getpid()} has locked") as caught:
        migrate.apply(url)
    assert "--break-lock" in (caught.value.hint or "")
    assert migrating.rows(url, "select pid from yoyo_lock") == [(os.getpid(),)]


def test_such_a_lock_is_broken_when_asked(url: str, conn: psycopg.Connection) -> None:
    migrate.rollback(url)
    conn.execute(LOCK_ROW, ["1 second", os.getpid()])
    outcome = migrate.apply(url, break_lock=True)
    assert list(outcome.done) == migrating.MIGRATION_IDS[-1:]


def test_a_session_of_somebody_else_counts_as_a_possible_holder(
    url: str, superuser_conn: psycopg.Connection, impatient: None
) -> None:
    migrate.rollback(url)
    superuser_conn.execute(LOCK_ROW, ["1 hour", 4711])  # whose start the owner may not see
    with pytest.raises(EvervecError, match="has locked this database"):
        migrate.apply(url)
