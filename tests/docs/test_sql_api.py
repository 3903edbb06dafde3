"""docs/sql-api.md is what the database says, and its examples work."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from evervec.config import Config
from evervec.db import Database
from evervec.providers import Providers
from evervec.worker import Worker
from tests.support import pg_cron
from tests.support.cluster import OWNER
from tools.docs import OUTPUT, document, entries, examples
from tools.statements import split


def test_the_document_is_fresh(conn: psycopg.Connection) -> None:
    fresh = document(entries(conn), examples())
    assert OUTPUT.read_text() == fresh, "stale: run make docs"


def test_every_public_object_has_an_example(conn: psycopg.Connection) -> None:
    public = {entry.name for entry in entries(conn) if entry.public}
    assert public - {example.name for example in examples()} == set()
    assert {example.name for example in examples()} - public == {
        "setup",
        "nearest_film",
        "find_similar_film",
    }


@pytest.fixture
def worker(url: str) -> Iterator[Worker]:
    with Database(url) as db:
        yield Worker(db, Providers(), Config(database_url=url))


@pytest.fixture
def shop_web(superuser_conn: psycopg.Connection) -> Iterator[None]:
    """The role of the examples, which no other test has."""
    superuser_conn.execute("drop role if exists shop_web; create role shop_web")
    yield
    superuser_conn.execute("drop owned by shop_web; drop role shop_web")


@pytest.fixture
def cron(superuser_conn: psycopg.Connection) -> None:
    """pg_cron, as the examples take it for granted."""
    pg_cron.install(superuser_conn, role=OWNER)


def test_the_examples_run_in_their_order(
    conn: psycopg.Connection, worker: Worker, shop_web: None, cron: None
) -> None:
    for example in examples():
        if example.worker:
            worker.drain()
        for statement in split(example.sql):
            cursor = conn.execute(statement.encode())
        if cursor.description:
            assert cursor.rowcount > 0, f"{example.name} returns nothing"
