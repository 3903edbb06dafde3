"""Builds up change logs through real triggers, and folds them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass

import psycopg
from psycopg import sql

from bench.server import MODEL, Server, scalar, script

SLICE = 10_000


@dataclass
class Backlog:
    """Table fold.note, its log, and the queue that the log is folded into."""

    server: Server
    owner: psycopg.Connection
    superuser: psycopg.Connection
    last: int = 0  # the highest key so far: every change is of a row of its own

    def clear(self) -> None:
        """No rows, no log, no jobs."""
        self.superuser.execute(
            "truncate fold.note, evervec.change_log, evervec.processing_queue, evervec.job_receipt"
        )
        self.owner.execute("select evervec.fold()")
        self.superuser.execute("vacuum (analyze) fold.note, evervec.change_log")
        self.last = 0

    def write(self, rows: int) -> None:
        """Insert rows, 100,000 a transaction at most."""
        while rows > 0:
            count = min(rows, 100_000)
            self.owner.execute(
                "insert into fold.note (id, body)"
                " select g, 'note ' || g from generate_series(%s::bigint, %s) g",
                [self.last + 1, self.last + count],
            )
            self.last += count
            rows -= count

    def fold(self) -> tuple[int, float]:
        """One slice: changes folded, seconds."""
        began = time.perf_counter()
        folded = int(
            scalar(self.owner, sql.SQL("select evervec.fold({})").format(sql.Literal(SLICE)))
        )
        return folded, time.perf_counter() - began

    def fold_all(self) -> tuple[int, float]:
        """Slice after slice until the log is empty: changes folded, seconds."""
        changes, seconds = 0, 0.0
        while True:
            folded, took = self.fold()
            if not folded:
                return changes, seconds
            changes += folded
            seconds += took

    def finish_jobs(self, *, vacuum: bool) -> None:
        """What workers and autovacuum do between two slices: the jobs go, dead rows too."""
        self.owner.execute("delete from evervec.processing_queue")
        if vacuum:
            self.superuser.execute("vacuum evervec.processing_queue, evervec.change_log")


def create(server: Server, owner: psycopg.Connection, superuser: psycopg.Connection) -> Backlog:
    """The tables, tracked."""
    owner.execute(script("note.sql", model=sql.Literal(MODEL)))
    return Backlog(server, owner, superuser)


@contextmanager
def held_snapshot(server: Server) -> Iterator[None]:
    """A REPEATABLE READ transaction stands open, as a long report or a dump does."""
    with server.connect() as conn, conn.transaction():
        conn.execute("set transaction isolation level repeatable read")
        conn.execute("select count(*) from evervec.source")
        yield


def snapshot(server: Server, *, held: bool) -> AbstractContextManager[None]:
    """A held snapshot, or nothing."""
    return held_snapshot(server) if held else nullcontext()
