"""A run that was killed between a step and its mark: `evervec migrate` and `rollback` mend it."""

from __future__ import annotations

import signal
from collections.abc import Callable

import psycopg
import pytest

from evervec import migrate
from tests.support import migrating
from tests.support.cluster import Database
from tests.support.programs import killed_evervec, killed_yoyo, yoyo

Kill = Callable[[str, str, int], int]
PLACES = range(1, len(migrating.MIGRATION_IDS) + 1)


@pytest.mark.parametrize("kill", [killed_evervec, killed_yoyo])
@pytest.mark.parametrize("nth", PLACES)
def test_peer_38_a_killed_migrate_is_mended_and_goes_on(
    bare_database: Database, url: str, kill: Kill, nth: int
) -> None:
    broken = bare_database.url
    assert kill("apply", broken, nth) == -signal.SIGKILL
    unmended = (migrating.MIGRATION_IDS[nth - 1],)
    assert migrate.status(broken).unmended == unmended

    outcome = migrate.apply(broken)

    assert outcome.mended == unmended
    assert list(outcome.done) == migrating.MIGRATION_IDS[nth:]
    assert migrating.marks(broken) == migrating.marks(url)
    assert migrating.recorded(broken) == migrating.recorded(url)
    assert migrating.schema(broken) == migrating.schema(url)
    assert yoyo("apply", broken).returncode == 0  # no lock is left, and nothing to do


@pytest.mark.parametrize("kill", [killed_evervec, killed_yoyo])
@pytest.mark.parametrize("nth", PLACES)
def test_a_killed_rollback_goes_on_to_nothing(url: str, kill: Kill, nth: int) -> None:
    assert kill("rollback", url, nth) == -signal.SIGKILL
    unmended = (migrating.MIGRATION_IDS[-nth],)
    assert migrate.status(url).unmended == unmended

    outcome = migrate.rollback(url, everything=True)

    assert outcome.mended == unmended
    assert migrating.relations(url) == []


@pytest.mark.parametrize("nth", PLACES)
def test_after_a_killed_rollback_migrate_applies_again(
    database: Database, bare_database: Database, nth: int
) -> None:
    migrate.apply(bare_database.url)
    assert killed_evervec("rollback", bare_database.url, nth) == -signal.SIGKILL
    migrate.apply(bare_database.url)
    assert migrating.schema(bare_database.url) == migrating.schema(database.url)
    assert migrating.marks(bare_database.url) == migrating.marks(database.url)


def test_books_that_were_lost_are_written_anew(url: str, conn: psycopg.Connection) -> None:
    before = migrating.marks(url)
    conn.execute("drop table _yoyo_migration, _yoyo_log, _yoyo_version, yoyo_lock")
    outcome = migrate.apply(url)
    assert list(outcome.mended) == migrating.MIGRATION_IDS
    assert migrating.marks(url) == before
