"""Tests that need an extension of the server's own: they run wherever it is offered."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

import psycopg
import pytest

from tests.support.cluster import Cluster, Database

# Marker → extension.
MARKERS = {
    "pg_cron": "pg_cron",
    "pg_net": "pg_net",
    "pg_textsearch": "pg_textsearch",
    "pgsql_http": "http",
    "plpgsql_check": "plpgsql_check",
}


def declare_markers(config: pytest.Config) -> None:
    """Make them known to pytest."""
    for marker, extension in MARKERS.items():
        config.addinivalue_line("markers", f"{marker}: where the server offers {extension}")


def skip_unless_offered(item: pytest.Item, server: str) -> None:
    """Skip a test whose marker names an extension that the server at this URL has not."""
    for marker, extension in MARKERS.items():
        if item.get_closest_marker(marker) and not _offers(server, extension):
            pytest.skip(f"this server has no extension {extension}")


def _offers(server: str, extension: str) -> bool:
    with psycopg.connect(server) as conn:
        query = "select from pg_available_extensions where name = %s"
        return conn.execute(query, [extension]).rowcount == 1


def database_of_jobs(cluster: Cluster) -> AbstractContextManager[Database]:
    """An empty database, the one in which pg_cron keeps its jobs; for one test at a time."""
    return _database_of(cluster, "cron.database_name", "template1")


def database_of_requests(cluster: Cluster, template: str) -> AbstractContextManager[Database]:
    """A database like the template, the one for which pg_net works; for one test at a time."""
    return _database_of(cluster, "pg_net.database_name", template)


@contextmanager
def _database_of(cluster: Cluster, setting: str, template: str) -> Iterator[Database]:
    with cluster.connect() as conn:
        found = conn.execute("select current_setting(%s)", [setting]).fetchone()
        assert found is not None
        conn.execute("select pg_advisory_lock(hashtext(%s))", [setting])
        with cluster.database(template, name=found[0]) as database:
            yield database
