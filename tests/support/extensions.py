"""Tests that need an extension of the server's own: they run wherever it is offered."""

from __future__ import annotations

import psycopg
import pytest

# Marker → extension.
MARKERS = {
    "pg_cron": "pg_cron",
    "pg_net": "pg_net",
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
