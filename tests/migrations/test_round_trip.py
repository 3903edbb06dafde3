"""Up, down to nothing, up: through yoyo's own command and through evervec, with the same result."""

from __future__ import annotations

from collections.abc import Callable

import psycopg
import pytest

from evervec import migrate
from tests.support import migrating
from tests.support.cluster import Cluster, Database
from tests.support.programs import evervec, yoyo


def up_by_evervec(url: str) -> None:
    result = evervec("migrate", "-d", url)
    assert (result.returncode, "Traceback" in result.stderr) == (0, False), result.stderr


def down_by_evervec(url: str) -> None:
    result = evervec("rollback", "--all", "--yes", "-d", url)
    assert (result.returncode, "Traceback" in result.stderr) == (0, False), result.stderr


def up_by_yoyo(url: str) -> None:
    result = yoyo("apply", url)
    assert result.returncode == 0, result.stderr


def down_by_yoyo(url: str) -> None:
    result = yoyo("rollback", url, "--all")
    assert result.returncode == 0, result.stderr


Way = Callable[[str], None]


@pytest.mark.parametrize("up", [up_by_evervec, up_by_yoyo])
@pytest.mark.parametrize("down", [down_by_evervec, down_by_yoyo])
def test_up_down_and_up_again_gives_the_same_schema(
    bare_database: Database, up: Way, down: Way
) -> None:
    url = bare_database.url
    up(url)
    first = migrating.schema(url)
    down(url)
    assert "evervec" not in migrating.relations(url)
    up(url)
    assert migrating.schema(url) == first


def test_evervec_leaves_nothing_behind(bare_database: Database) -> None:
    url = bare_database.url
    untouched = migrating.schema(url)
    migrate.apply(url)
    migrate.rollback(url, everything=True)
    assert migrating.schema(url) == untouched


def test_yoyo_and_evervec_keep_the_same_books(cluster: Cluster) -> None:
    books = []
    for up in (up_by_yoyo, up_by_evervec):
        with cluster.bare_database() as database:
            up(database.url)
            url = database.url
            books.append((migrating.marks(url), migrating.log(url), migrating.recorded(url)))
            assert migrating.rows(url, "select * from yoyo_lock") == []
    assert books[0] == books[1]
    assert [migration_id for _, migration_id in books[0][0]] == migrating.MIGRATION_IDS


def test_yoyo_rolls_back_what_evervec_applied_one_by_one(bare_database: Database) -> None:
    url = bare_database.url
    migrate.apply(url)
    for left in range(len(migrating.MIGRATION_IDS), 0, -1):
        assert len(migrating.marks(url)) == left
        assert yoyo("rollback", url).returncode == 0
    assert "evervec" not in migrating.relations(url)


def test_peer_38_migrating_twice_changes_nothing_and_says_so(bare_database: Database) -> None:
    url = bare_database.url
    migrate.apply(url)
    log = migrating.log(url)
    again = evervec("migrate", "-d", url)
    assert again.returncode == 0
    assert "Nothing to do" in again.stdout + again.stderr
    assert migrating.log(url) == log


def test_status_of_an_empty_database_creates_nothing(bare_database: Database) -> None:
    found = migrate.status(bare_database.url)
    assert list(found.pending) == migrating.MIGRATION_IDS
    assert migrating.relations(bare_database.url) == []


def test_rollback_goes_back_to_a_named_migration(bare_database: Database) -> None:
    url = bare_database.url
    migrate.apply(url)
    first = migrating.MIGRATION_IDS[0]
    outcome = migrate.rollback(url, to=first)
    assert list(outcome.done) == migrating.MIGRATION_IDS[:0:-1]
    assert list(migrate.status(url).applied) == [first]


def test_rollback_without_options_undoes_the_newest_only(bare_database: Database) -> None:
    url = bare_database.url
    migrate.apply(url)
    assert list(migrate.rollback(url).done) == migrating.MIGRATION_IDS[-1:]
    assert list(migrate.apply(url).done) == migrating.MIGRATION_IDS[-1:]


def test_books_of_another_project_survive(bare_database: Database) -> None:
    url = bare_database.url
    migrate.apply(url)
    with psycopg.connect(url, autocommit=True) as conn:
        conn.execute("insert into _yoyo_migration values ('abc', 'shop_0001', now())")
    migrate.rollback(url, everything=True)
    assert migrating.marks(url) == [("abc", "shop_0001")]
