"""The smallest possible worker: claims, makes up vectors, completes. For tests of the SQL alone."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row

Row = dict[str, Any]

TOY_DIMENSIONS = 4


def toy_vector(text: str, dimensions: int = TOY_DIMENSIONS) -> str:
    """A vector of nothing but the text, in pgvector's text form; shape (dimensions,)."""
    digest = hashlib.sha512(text.encode()).digest()
    return "[" + ",".join(str(byte / 255 + 0.01) for byte in digest[:dimensions]) + "]"


def add_toy_model(conn: psycopg.Connection, name: str = "toy") -> str:
    """Make known a model whose vectors are toy_vector()'s."""
    conn.execute("select evervec.add_model(%s, 'toy', %s)", [name, TOY_DIMENSIONS])
    return name


def rows(conn: psycopg.Connection, query: str, *parameters: Any) -> list[Row]:
    """The result of a query as dictionaries."""
    with conn.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(query, parameters).fetchall()


def value(conn: psycopg.Connection, query: str, *parameters: Any) -> Any:
    """The first column of the first row."""
    row = conn.execute(query, parameters).fetchone()
    assert row is not None, f"no row: {query}"
    return row[0]


def claim(conn: psycopg.Connection, limit: int = 100, *, cached: bool = False) -> list[Row]:
    """The jobs of one call of claim_jobs; cached: those too whose vector the cache has, as such.

    Most tests ask which texts come, not which of them are paid for.
    """
    return rows(conn, "select * from evervec.claim_jobs(%s, p_cached => %s)", limit, cached)


def complete(conn: psycopg.Connection, jobs: list[Row]) -> Counter[str]:
    """Complete the jobs that need a vector, or get it from the cache; how many came to which
    outcome.
    """
    needy = [job for job in jobs if job["state"] in ("embed", "cached")]
    if not needy:
        return Counter()
    outcomes = rows(
        conn,
        "select * from evervec.complete_jobs(%s, %s, %s::vector[])",
        needy[0]["lease_token"],
        [job["job_id"] for job in needy],
        [toy_vector(job["content"]) if job["content"] else None for job in needy],
    )
    return Counter(outcome["outcome"] for outcome in outcomes)


@dataclass
class Drained:
    """What draining did: the texts that went to the model, and counts of claim states."""

    texts: list[str] = field(default_factory=list)
    states: Counter[str] = field(default_factory=Counter)


def drain(conn: psycopg.Connection, limit: int = 100, *, cached: bool = False) -> Drained:
    """Work until log, queue and passes are empty."""
    drained = Drained()
    for _ in range(10_000):
        jobs = claim(conn, limit, cached=cached)
        drained.states.update(job["state"] for job in jobs)
        drained.texts += [job["content"] for job in jobs if job["state"] == "embed"]
        complete(conn, jobs)
        left = rows(conn, "select * from evervec.pending()")[0]
        if not any(left.values()):
            return drained
    raise AssertionError(f"never drained: {left}")


@contextmanager
def raises(
    conn: psycopg.Connection, sqlstate: str, message: str, *, ours: bool = True
) -> Iterator[pytest.ExceptionInfo[psycopg.Error]]:
    """Expect one clear error: SQLSTATE, part of the message, and, if ours, DETAIL and HINT."""
    with pytest.raises(psycopg.Error) as caught, conn.transaction():
        yield caught
    diagnostics = caught.value.diag
    assert diagnostics.sqlstate == sqlstate, f"{diagnostics.sqlstate}: {caught.value}"
    assert message in (diagnostics.message_primary or ""), caught.value
    if ours:
        assert diagnostics.message_detail, "no DETAIL"
        assert diagnostics.message_hint, "no HINT"
