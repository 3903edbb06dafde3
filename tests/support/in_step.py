"""Are the vectors true to the rows? Texts and hashes are computed here, not in the database."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import psycopg

from tests.support.sql_worker import Drained, Row, claim, complete, rows, value


def digest(text: str) -> bytes:
    """SHA-256 of a text in UTF-8."""
    return hashlib.sha256(text.encode()).digest()


def title_text(row: Row) -> str | None:
    """The text of p_columns => '{title}': None for a blank title."""
    title = row["title"]
    return f"Title: {title}" if title is not None and title.strip() else None


def assert_in_step(
    conn: psycopg.Connection,
    table: str = "film",
    key: str | tuple[str, ...] = "id",
    *,
    target: str | None = None,
    text: Callable[[Row], str | None] = title_text,
    only: bool = False,
) -> None:
    """Every row with text has the vector of that text, and there is no other vector.

    only: the table alone, without the children that inherit from it.
    """
    keys = (key,) if isinstance(key, str) else key
    wanted = {
        tuple(row[k] for k in keys): digest(content)
        for row in rows(conn, f"select * from {'only ' if only else ''}{table}")
        if (content := text(row)) is not None
    }
    assert stored(conn, target or f"{table}_embedding", keys) == wanted


def stored(
    conn: psycopg.Connection, target: str, keys: tuple[str, ...] = ("id",)
) -> dict[tuple[Any, ...], bytes]:
    """key → content hash of every vector of an embedding table."""
    return {
        tuple(row[k] for k in keys): row["content_hash"]
        for row in rows(conn, f"select * from {target}")
    }


def drain_all(conn: psycopg.Connection, limit: int = 100) -> Drained:
    """Drain, without waiting for jobs that were put off because a user held their row."""
    total = Drained()
    for _ in range(1000):
        conn.execute(
            "update evervec.processing_queue set available_at = now() - interval '1 second'"
            " where status = 'pending' and available_at > now()"
        )
        jobs = claim(conn, limit)
        total.states.update(job["state"] for job in jobs)
        total.texts += [job["content"] for job in jobs if job["state"] == "embed"]
        complete(conn, jobs)
        left = rows(conn, "select * from evervec.pending()")[0]
        if not any(left.values()):
            return total
    raise AssertionError(f"never drained: {left}")


def reconcile(conn: psycopg.Connection, source: str) -> Row:
    """One whole pass of reconcile(); the sums of its slices. A pass under way is finished first."""
    if value(conn, "select pass_kind is not null from evervec.source where name = %s", source):
        _pass(conn, source)
    return _pass(conn, source)


def _pass(conn: psycopg.Connection, source: str) -> Row:
    sums = {"examined": 0, "missing": 0, "stale": 0, "orphaned": 0}
    for _ in range(10_000):
        part = rows(conn, "select * from evervec.reconcile(%s)", source)[0]
        for name in sums:
            sums[name] += part[name]
        if part["examined"] == 0:
            return sums
    raise AssertionError("reconcile never ended")
