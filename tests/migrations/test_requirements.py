"""What migrating needs of a database, and what it says where that is missing."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest

from evervec import migrate, resources
from evervec.errors import EvervecError
from tests.support import migrating
from tests.support.cluster import Cluster, Database
from tests.support.programs import evervec, yoyo


def test_the_owner_needs_no_superuser(bare_database: Database) -> None:
    migrate.apply(bare_database.url)
    query = "select rolsuper or rolcreatedb or rolcreaterole from pg_roles where rolname = user"
    assert migrating.rows(bare_database.url, query) == [(False,)]


@pytest.mark.parametrize("schema", ["extensions", 'odd "schema'])
def test_pgvector_may_live_in_another_schema(cluster: Cluster, schema: str) -> None:
    with cluster.bare_database(schema) as database:
        migrate.apply(database.url)
        name = migrating.rows(
            database.url, "select evervec.add_model('m', 'openai', 3) is not null"
        )
        assert name == [(True,)]
        migrate.rollback(database.url, everything=True)


def test_without_pgvector_it_says_what_to_run(cluster: Cluster) -> None:
    with cluster.bare_database(None) as database:
        result = evervec("migrate", "-d", database.url)
        assert result.returncode == 1
        assert "CREATE EXTENSION vector" in result.stderr
        assert "Traceback" not in result.stderr
        with pytest.raises(EvervecError) as caught:
            migrate.apply(database.url)
        assert caught.value.sqlstate == "VE001"
        assert "VE001" in migrating_error_of_yoyo(database.url)
        assert "evervec" not in migrating.relations(database.url)


def migrating_error_of_yoyo(url: str) -> str:
    """yoyo prints the exception's text only, so the SQLSTATE is looked up by the message."""
    result = yoyo("apply", url)
    assert result.returncode != 0
    return "VE001" if "pgvector is not installed" in result.stderr else result.stderr


@pytest.mark.parametrize("version", ["0.7.4", "0.5"])
def test_an_old_pgvector_is_refused(bare_database: Database, version: str) -> None:
    with psycopg.connect(bare_database.superuser_url, autocommit=True) as conn:
        query = "update pg_extension set extversion = %s where extname = 'vector'"
        conn.execute(query, [version])
    with pytest.raises(EvervecError) as caught:
        migrate.apply(bare_database.url)
    assert caught.value.sqlstate == "VE002"
    assert version in caught.value.message
    assert caught.value.hint is not None
    assert "ALTER EXTENSION vector UPDATE" in caught.value.hint


@pytest.mark.parametrize("version", ["0.8.0", "0.10.1", "1.0"])
def test_a_newer_pgvector_is_accepted(bare_database: Database, version: str) -> None:
    with psycopg.connect(bare_database.superuser_url, autocommit=True) as conn:
        query = "update pg_extension set extversion = %s where extname = 'vector'"
        conn.execute(query, [version])
    assert list(migrate.apply(bare_database.url).done) == migrating.MIGRATION_IDS


def test_a_newer_database_is_refused(url: str, conn: psycopg.Connection) -> None:
    conn.execute("insert into evervec.schema_version values ('evervec_9999_future', 'x')")
    for action in (migrate.apply, migrate.rollback):
        with pytest.raises(EvervecError, match="newer than this evervec") as caught:
            action(url)
        assert "evervec_9999_future" in (caught.value.detail or "")


def test_a_migration_applied_with_another_text_is_refused(
    url: str, conn: psycopg.Connection
) -> None:
    edited = migrating.MIGRATION_IDS[1]
    conn.execute(
        "update evervec.schema_version set checksum = 'x' where migration_id = %s", [edited]
    )
    conn.execute("delete from _yoyo_migration where migration_id = %s", [edited])
    with pytest.raises(EvervecError, match=edited):
        migrate.apply(url)
    assert [s.migration_id for s in migrate.status(url).migrations if s.edited] == [edited]


def test_an_unreachable_database_is_a_sentence() -> None:
    result = evervec("migrate", "-d", "postgresql://nobody@127.0.0.1:1/nothing")
    assert result.returncode == 1
    assert "refused" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("content", [None, "readme.txt"])
def test_migrations_that_are_not_there_are_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str | None
) -> None:
    if content:
        (tmp_path / "package" / "migrations").mkdir(parents=True)
        (tmp_path / "package" / "migrations" / content).write_text("")
    monkeypatch.setattr(resources, "PACKAGE", tmp_path / "package")
    with pytest.raises(EvervecError, match="migrations"):
        migrate.status("")


def test_a_migration_whose_dependency_is_missing_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bare_database: Database
) -> None:
    broken = tmp_path / "evervec_0002_b.sql"
    broken.write_text("-- depends: evervec_0001_lost\nselect 1;\n")
    monkeypatch.setattr(resources, "migrations_dir", lambda: tmp_path)
    with pytest.raises(EvervecError, match="incomplete"):
        migrate.apply(bare_database.url)
