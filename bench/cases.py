"""The cases: what stands in the table before, what is run on it, and what evervec may cost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import LiteralString

from psycopg import sql

from bench.contenders import APPEND, BARE, CASCADE, EVERVEC, FLOOR, PGAI, SUPABASE, Contender


@dataclass(frozen=True)
class Case:
    """One row of the table of bars. Ratios are to the first of its contenders."""

    name: str
    title: str
    contenders: tuple[Contender, ...] = (BARE, EVERVEC, PGAI, SUPABASE)
    bar: float | None = None  # the most that evervec may cost; None: it is measured only
    rows: str = "short"  # what the table holds before: none, short, long, embedded


@dataclass(frozen=True)
class Statement(Case):
    """One statement, committed."""

    text: LiteralString = ""

    def statement(self, contender: Contender, condition: LiteralString = "") -> sql.Composed:
        """The statement for the contender's table; a condition limits it to one row."""
        return sql.SQL("{} {}").format(
            sql.SQL(self.text).format(table=contender.table), sql.SQL(condition)
        )


@dataclass(frozen=True)
class Pipelined(Case):
    """As many single-row INSERTs as there are short rows, pipelined, in one transaction."""


@dataclass(frozen=True)
class Pgbench(Case):
    """Single-row INSERTs, each committed, by several clients at once."""

    clients: int = 1
    protocol: str = "simple"  # pgbench's default; prepared: neither parsed nor planned again


def _pgbench(clients: int, protocol: str, bar: float | None = None) -> Pgbench:
    return Pgbench(
        f"pgbench-{clients}-{protocol}",
        f"pgbench, single-row INSERT, {clients} clients, {protocol} protocol",
        contenders=(BARE, EVERVEC, PGAI, SUPABASE, FLOOR, APPEND),
        bar=bar,
        rows="none",
        clients=clients,
        protocol=protocol,
    )


CASES: tuple[Case, ...] = (
    Statement(
        "insert",
        "INSERT, one statement",
        bar=2.0,
        rows="none",
        text="insert into {table} (id, title, body) select id, title, body from bench.short",
    ),
    Pipelined("pipelined", "single-row INSERTs, pipelined, one transaction", bar=1.6, rows="none"),
    _pgbench(2, "simple", bar=1.1),
    _pgbench(2, "prepared"),
    _pgbench(32, "simple", bar=1.1),
    _pgbench(32, "prepared"),
    Statement(
        "update-text",
        "UPDATE of the text, one statement",
        bar=2.5,
        text="update {table} set body = substr(body, 2) || left(body, 1)",
    ),
    Statement(
        "update-other",
        "UPDATE of another column, one statement",
        bar=1.2,
        text="update {table} set views = views + 1",
    ),
    Statement(
        "update-nothing",
        "UPDATE that changes nothing",
        bar=1.2,
        text="update {table} set body = body",
    ),
    Statement(
        "update-toast",
        "UPDATE of another column, 1,000 rows with 20 kB of TOASTed text",
        rows="long",
        text="update {table} set views = views + 1",
    ),
    Statement(
        "delete",
        "DELETE of embedded rows, one statement",
        contenders=(CASCADE, EVERVEC, PGAI, SUPABASE),
        bar=1.5,
        rows="embedded",
        text="delete from {table}",
    ),
)
