"""Roles beside the owner of the database."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from tests.support.cluster import Database


@contextmanager
def role(conn: psycopg.Connection) -> Iterator[str]:
    """A role that is gone afterwards, with all it owns."""
    name = f"evervec_test_{uuid.uuid4().hex[:8]}"
    conn.execute(f"create role {name}")
    try:
        yield name
    finally:
        conn.execute(f"drop owned by {name} cascade; drop role {name}")


@contextmanager
def session_of(database: Database, name: str) -> Iterator[psycopg.Connection]:
    """A session of a role, autocommit, as if it had logged in itself."""
    with psycopg.connect(database.superuser_url, autocommit=True) as conn:
        conn.execute(f"set session authorization {name}")
        yield conn
