"""One PostgreSQL a run; a database a test, cloned from a migrated template, of a plain role."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack

import psycopg
import pytest

from tests.support import extensions
from tests.support.cluster import Cluster, Database, running_cluster
from tests.support.sql_worker import add_toy_model
from tests.support.step_counts import pytest_terminal_summary as pytest_terminal_summary

# The controller tells its workers of pytest-xdist, which inherit its environment.
_URL, _RUN = "EVERVEC_TEST_CLUSTER_URL", "EVERVEC_TEST_RUN"
_resources = ExitStack()


def pytest_configure(config: pytest.Config) -> None:
    extensions.declare_markers(config)
    if _URL not in os.environ and not config.option.collectonly:
        # libpq's own variables belong to somebody else's server.
        for name in [n for n in os.environ if n.startswith("PG") or n == "EVERVEC_DATABASE_URL"]:
            del os.environ[name]
        cluster = _resources.enter_context(running_cluster())
        os.environ[_URL], os.environ[_RUN] = cluster.superuser_url, cluster.run_id


def pytest_runtest_setup(item: pytest.Item) -> None:
    extensions.skip_unless_offered(item, os.environ[_URL])


def pytest_unconfigure(config: pytest.Config) -> None:
    _resources.close()


@pytest.fixture(scope="session")
def cluster() -> Cluster:
    """The server of this run."""
    return Cluster(os.environ[_URL], os.environ[_RUN])


@pytest.fixture(scope="session")
def template(cluster: Cluster) -> str:
    """The name of the migrated database that tests clone."""
    return cluster.template()


@pytest.fixture
def database(cluster: Cluster, template: str) -> Iterator[Database]:
    """A migrated database of the test's own."""
    with cluster.database(template) as database:
        yield database


@pytest.fixture
def bare_database(cluster: Cluster) -> Iterator[Database]:
    """A database with pgvector in schema public, not migrated."""
    with cluster.bare_database() as database:
        yield database


@pytest.fixture
def url(database: Database) -> str:
    """The URL of the test's database, as its owner, who is no superuser."""
    return database.url


@pytest.fixture
def conn(url: str) -> Iterator[psycopg.Connection]:
    """A connection of the owner, autocommit."""
    with psycopg.connect(url, autocommit=True) as connection:
        yield connection


@pytest.fixture
def superuser_conn(database: Database) -> Iterator[psycopg.Connection]:
    """A connection of the superuser to the same database, autocommit."""
    with psycopg.connect(database.superuser_url, autocommit=True) as connection:
        yield connection


@pytest.fixture
def recent_pgvector(superuser_conn: psycopg.Connection) -> None:
    """For tests that expect doctor to be content: an old pgvector is worth an advice."""
    superuser_conn.execute("update pg_extension set extversion = '0.8.6' where extname = 'vector'")


@pytest.fixture
def film(conn: psycopg.Connection) -> psycopg.Connection:
    """A connection to a database that tracks film(id, title, year) with ten rows."""
    add_toy_model(conn)
    conn.execute(
        """
        create table film (id integer primary key, title text, year integer);
        insert into film select g, 'Film ' || g, 1990 + g from generate_series(1, 10) g;
        select evervec.track('film', p_columns => '{title}', p_model => 'toy');
        """
    )
    return conn
