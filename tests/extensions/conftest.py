"""Databases with the extensions themselves, and a webhook that they can ring."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from evervec import migrate
from tests.service.serving import Serving, serving, track_notes
from tests.support.cluster import OWNER, Cluster, Database
from tests.support.extensions import database_of_jobs
from tests.support.openai_server import OpenAIServer

NOTES = 3
SCHEMAS = {"pg_cron": "cron", "pg_net": "net"}


@pytest.fixture
def home(cluster: Cluster) -> Iterator[Database]:
    """The database that pg_cron and pg_net work in, migrated, with what there is of extensions."""
    with database_of_jobs(cluster) as database:
        with psycopg.connect(database.superuser_url, autocommit=True) as superuser:
            superuser.execute("create extension vector")
            query = "select name from pg_available_extensions where name = any (%s)"
            for (name,) in superuser.execute(query, [["http", *SCHEMAS]]).fetchall():
                superuser.execute(f"create extension {name}")
                if name in SCHEMAS:
                    superuser.execute(f"grant usage on schema {SCHEMAS[name]} to {OWNER}")
        migrate.apply(database.url)
        yield database


@pytest.fixture
def notes(home: Database) -> Iterator[psycopg.Connection]:
    """The owner's connection; a table of notes is tracked there, and none of them is embedded."""
    with psycopg.connect(home.url, autocommit=True) as conn:
        track_notes(conn, NOTES)
        yield conn


@pytest.fixture
def webhook(notes: psycopg.Connection, home: Database, tmp_path: Path) -> Iterator[Serving]:
    """The webhook beside it, and no worker."""
    with (
        OpenAIServer().running() as api,
        serving(home.url, tmp_path / "log", api) as served,
    ):
        yield served
