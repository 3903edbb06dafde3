"""Roles beside the owner of the database."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg


@contextmanager
def role(conn: psycopg.Connection) -> Iterator[str]:
    """A role that is gone afterwards, with all it owns."""
    name = f"evervec_test_{uuid.uuid4().hex[:8]}"
    conn.execute(f"create role {name}")
    try:
        yield name
    finally:
        conn.execute(f"drop owned by {name} cascade; drop role {name}")
