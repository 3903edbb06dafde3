"""Rolling back never loses vectors by accident, and leaves the user's tables as they were."""

from __future__ import annotations

import psycopg
import pytest

from evervec import migrate
from evervec.errors import EvervecError
from tests.support import migrating
from tests.support.cluster import Database
from tests.support.programs import evervec, yoyo

DROP = {"PGOPTIONS": "-c evervec.drop_vectors=on"}


@pytest.fixture
def filled(bare_database: Database) -> Database:
    """A migrated database whose table `film` is tracked and has one vector."""
    make_film(bare_database)
    migrate.apply(bare_database.url)
    with psycopg.connect(bare_database.url, autocommit=True) as conn:
        conn.execute("select evervec.track('film', '{title}')")
        conn.execute(
            "insert into film_embedding (id, content_hash, model_id, embedding)"
            " select 1, '', 1, array_fill(1, array[512])::vector"
        )
    return bare_database


def make_film(database: Database) -> None:
    with psycopg.connect(database.url, autocommit=True) as conn:
        conn.execute("create table film (id integer primary key, title text)")
        conn.execute("insert into film values (1, 'Alien')")


def vectors(database: Database) -> int:
    return int(migrating.rows(database.url, "select count(*) from film_embedding")[0][0])


def test_rollback_refuses_to_lose_vectors_and_changes_nothing(filled: Database) -> None:
    before = migrating.schema(filled.url)
    with pytest.raises(EvervecError) as caught:
        migrate.rollback(filled.url, everything=True)
    assert caught.value.sqlstate == "VE003"
    assert "film" in caught.value.message
    assert "--drop-vectors" in (caught.value.hint or "")
    assert vectors(filled) == 1
    assert migrating.schema(filled.url) == before
    assert list(migrate.status(filled.url).applied) == migrating.MIGRATION_IDS


def test_the_command_says_so_in_one_message(filled: Database) -> None:
    result = evervec("rollback", "--all", "--yes", "-d", filled.url)
    assert result.returncode == 1
    assert "HINT" in result.stderr
    assert "Traceback" not in result.stderr
    assert vectors(filled) == 1


def test_rollback_drops_vectors_when_told_so_and_leaves_the_users_tables_as_they_were(
    bare_database: Database, filled: Database
) -> None:
    result = evervec("rollback", "--all", "--drop-vectors", "--yes", "-d", filled.url)
    assert result.returncode == 0, result.stderr
    assert migrating.relations(filled.url) == ["public.film", "public.film_pkey"]
    assert migrating.rows(filled.url, "select * from film") == [(1, "Alien")]
    triggers = "select tgname from pg_trigger where not tgisinternal"
    assert migrating.rows(filled.url, triggers) == []


def test_the_users_schema_is_as_if_evervec_had_never_been_there(bare_database: Database) -> None:
    make_film(bare_database)
    before = migrating.schema(bare_database.url)
    migrate.apply(bare_database.url)
    with psycopg.connect(bare_database.url, autocommit=True) as conn:
        conn.execute("select evervec.track('film', '{title}')")
    migrate.rollback(bare_database.url, everything=True, drop_vectors=True)
    assert migrating.schema(bare_database.url) == before


def test_plain_yoyo_refuses_too(filled: Database) -> None:
    result = yoyo("rollback", filled.url, "--all")
    assert result.returncode != 0
    assert "rolling back would drop the vectors" in result.stderr
    assert vectors(filled) == 1


def test_plain_yoyo_drops_vectors_when_told_so(filled: Database) -> None:
    result = yoyo("rollback", filled.url, "--all", environment=DROP)
    assert result.returncode == 0, result.stderr
    assert "evervec" not in migrating.relations(filled.url)
    assert "public.film_embedding" not in migrating.relations(filled.url)


def test_vectors_survive_when_their_source_was_untracked_first(filled: Database) -> None:
    with psycopg.connect(filled.url, autocommit=True) as conn:
        conn.execute("select evervec.untrack('film')")
    migrate.rollback(filled.url, everything=True)
    assert vectors(filled) == 1


def test_rollback_works_when_the_users_table_was_dropped(filled: Database) -> None:
    with psycopg.connect(filled.url, autocommit=True) as conn:
        conn.execute("drop table film, film_embedding cascade")
    migrate.rollback(filled.url, everything=True)
    assert migrating.relations(filled.url) == []
