"""One database for all histories of a process: making one would cost more than a history."""

from __future__ import annotations

import os
from collections.abc import Iterator

import psycopg
import pytest
from hypothesis import HealthCheck, Phase, settings

from tests.support.cluster import Cluster, Database
from tests.support.sql_worker import add_toy_model

settings.register_profile(
    "histories",
    deadline=None,
    database=None,
    print_blob=True,
    suppress_health_check=list(HealthCheck),
    # Shrinking runs hundreds of histories more: only when somebody wants to see the shortest.
    phases=[Phase.generate, *([Phase.shrink] if os.environ.get("EVERVEC_TEST_SHRINK") else [])],
)


@pytest.fixture(scope="session")
def histories_database(cluster: Cluster, template: str) -> Iterator[Database]:
    with cluster.database(template) as database:
        with psycopg.connect(database.url, autocommit=True) as conn:
            add_toy_model(conn)
            conn.execute("create table category (id int primary key, name text)")
        yield database


@pytest.fixture(scope="session")
def worker(histories_database: Database) -> Iterator[psycopg.Connection]:
    """The session that claims and completes."""
    with psycopg.connect(histories_database.url, autocommit=True, prepare_threshold=None) as conn:
        yield conn


@pytest.fixture(scope="session")
def writer(histories_database: Database) -> Iterator[psycopg.Connection]:
    """The session of the application."""
    with psycopg.connect(histories_database.url, autocommit=True, prepare_threshold=None) as conn:
        conn.execute("set lock_timeout = '2s'")
        yield conn
