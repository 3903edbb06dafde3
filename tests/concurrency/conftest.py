"""Films again, tracked with or without a foreign key, and sessions around them.

One database for all: some hundreds of short tests, and what they leave behind is only rows.
"""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from tests.support.cluster import Cluster, Database
from tests.support.sessions import Sessions, sessions
from tests.support.sql_worker import add_toy_model


@pytest.fixture(scope="session")
def races_database(cluster: Cluster, template: str) -> Iterator[Database]:
    with cluster.database(template) as database:
        with psycopg.connect(database.url, autocommit=True) as conn:
            add_toy_model(conn)
        yield database


@pytest.fixture(params=[False, True], ids=["log", "foreign key"])
def foreign_key(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


@pytest.fixture
def film(races_database: Database, foreign_key: bool) -> Iterator[psycopg.Connection]:
    """The worker's session; ten films, tracked, not embedded yet."""
    with psycopg.connect(races_database.url, autocommit=True) as conn:
        conn.execute(
            f"""
            create table film (id integer primary key, title text, year integer);
            insert into film select g, 'Film ' || g, 1990 + g from generate_series(1, 10) g;
            select evervec.track('film', '{{title}}', p_model => 'toy', p_index => 'none',
                                 p_foreign_key => {foreign_key});
            """
        )
        try:
            yield conn
        finally:
            conn.execute(
                "rollback; reset all; select evervec.untrack('film', true); drop table film"
            )
            conn.execute("delete from evervec.change_log; delete from evervec.dead_letter")


@pytest.fixture
def others(film: psycopg.Connection, races_database: Database) -> Iterator[Sessions]:
    """Further sessions; they end before the table goes."""
    with sessions(races_database.url) as found:
        yield found
