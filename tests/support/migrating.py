"""What the tests of migrations look at."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import psycopg

from tools.chain import ROOT, read_chain
from tools.drift import dump_schema

MIGRATION_IDS = [m.migration_id for m in read_chain(ROOT / "migrations")]


def schema(url: str) -> str:
    """The dump of the whole database, for comparing."""
    return "".join(dump_schema(url, schema=None))


def marks(url: str) -> list[tuple[Any, ...]]:
    """What yoyo believes applied, in order: hash and id."""
    return rows(url, "select migration_hash, migration_id from _yoyo_migration order by 2")


def log(url: str) -> list[tuple[Any, ...]]:
    """What yoyo has logged, in order: operation and id."""
    return rows(url, "select operation, migration_id from _yoyo_log order by created_at_utc")


def recorded(url: str) -> list[tuple[Any, ...]]:
    """What the migrations wrote about themselves: id and checksum."""
    return rows(url, "select migration_id, checksum from evervec.schema_version order by 1")


def relations(url: str) -> list[str]:
    """Every relation and schema that is not PostgreSQL's or an extension's."""
    query = """
        select format('%I.%I', n.nspname, c.relname)
          from pg_class c join pg_namespace n on n.oid = c.relnamespace
         where n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
        union all
        select nspname from pg_namespace where nspname = 'evervec'
         order by 1
    """
    return [name for (name,) in rows(url, query)]


def rows(url: str, query: str) -> list[tuple[Any, ...]]:
    """The rows of a query, through a connection of its own."""
    with psycopg.connect(url, autocommit=True) as conn:
        return conn.execute(query.encode()).fetchall()


def wait_for(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    """Come back as soon as the condition holds; fail when it does not in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError("the condition did not come true in time")
        time.sleep(0.02)
