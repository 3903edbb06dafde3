"""A small tracked table."""

from __future__ import annotations

import psycopg
import pytest

from tests.support.sql_worker import add_toy_model


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
