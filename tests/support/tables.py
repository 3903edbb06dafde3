"""Tables of a test's own, tracked."""

from __future__ import annotations

import psycopg

from tests.support.sql_worker import add_toy_model, drain

TRACK = "select evervec.track('{0}', '{{title}}', p_model => 'toy')"


def tracked(conn: psycopg.Connection, ddl: str, *tables: str) -> psycopg.Connection:
    """Create tables, track them by title, and embed what is in them."""
    add_toy_model(conn)
    conn.execute(ddl)
    for table in tables:
        conn.execute(TRACK.format(table))
    drain(conn)
    return conn
