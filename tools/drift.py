"""Whether replaying sql/ over a migrated database changes anything. It must not."""

from __future__ import annotations

import difflib
import subprocess
from pathlib import Path

import psycopg

from evervec import embedded
from tools.chain import read_sql
from tools.freeze import PREAMBLE
from tools.objects import ordered


def drift(url: str, sql_dir: Path) -> list[str]:
    """Replay sql/ over the database and return how its schema dump differs, as a diff; [] is well.

    url is of the owner of a migrated database; the replay is committed.
    """
    before = dump_schema(url)
    replay(url, sql_dir)
    return list(difflib.unified_diff(before, dump_schema(url), "migrations", "sql/", n=8))


def replay(url: str, sql_dir: Path) -> None:
    """Run every file of sql/ in one transaction, with the search_path that migrations have."""
    with psycopg.connect(url) as conn:
        conn.execute(PREAMBLE.encode())
        for file in ordered(read_sql(sql_dir)):
            conn.execute(file.text.encode())


def dump_schema(url: str, schema: str | None = "evervec") -> list[str]:
    """The lines of `pg_dump -s`, of one schema or (None) of the whole database."""
    chosen = ["-n", schema] if schema else []
    result = subprocess.run(
        [str(embedded.program("pg_dump")), "-s", "-d", url, *chosen],
        check=True,
        text=True,
        stdout=subprocess.PIPE,
    )
    # \restrict and \unrestrict carry a random key since the releases of August 2025.
    lines = result.stdout.splitlines(keepends=True)
    return [line for line in lines if not line.startswith(("\\restrict", "\\unrestrict"))]
