"""One run of one case by one contender: time, WAL, and how much was logged."""

from __future__ import annotations

import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
from psycopg import sql

from bench.cases import Case, Pgbench, Pipelined, Statement
from bench.contenders import Contender
from bench.server import Server, scalar
from bench.stage import check, prepare
from bench.stats import Measurement
from evervec import embedded


@dataclass
class Stopwatch:
    """What `running` fills in."""

    seconds: float = 0.0
    wal_bytes: int = 0


@dataclass(frozen=True)
class Bench:
    """The connections and rows that runs share."""

    server: Server
    superuser: psycopg.Connection  # sets the stage, fires no trigger
    application: psycopg.Connection  # is timed
    rows: Sequence[tuple[int, str, str]] = field(repr=False)  # id, title, body
    pgbench_seconds: int = 5

    def run(self, case: Case, contender: Contender) -> Measurement:
        """Set the stage, warm up, measure."""
        prepare(self.superuser, contender, case.rows)
        if isinstance(case, Statement):
            watch = self._statement(case, contender)
        elif isinstance(case, Pipelined):
            watch = self._pipelined(contender)
        elif isinstance(case, Pgbench):
            return self._pgbench(case, contender)
        else:
            raise TypeError(f"no way to run {case}")
        check(self.superuser, contender, case.rows)
        return Measurement(watch.seconds, watch.wal_bytes, contender.logged(self.superuser))

    def _statement(self, case: Statement, contender: Contender) -> Stopwatch:
        with _rolled_back(self.application):
            condition = "limit 1" if case.rows == "none" else "where id = 1"
            self.application.execute(case.statement(contender, condition))
        statement = case.statement(contender).as_bytes(self.application)
        with self._running() as watch:
            self.application.execute(statement)
        return watch

    def _pipelined(self, contender: Contender) -> Stopwatch:
        text = sql.SQL("insert into {} (id, title, body) values (%s, %s, %s)")
        insert = text.format(contender.table).as_bytes(self.application)
        with self.application.cursor() as cursor:
            with _rolled_back(self.application):
                cursor.executemany(insert, self.rows[:2])
            with self._running() as watch, self.application.transaction():
                cursor.executemany(insert, self.rows)
        return watch

    def _pgbench(self, case: Pgbench, contender: Contender) -> Measurement:
        _, title, body = self.rows[0]
        text = sql.SQL("insert into {} (title, body) values ({}, {})").format(
            contender.table, sql.Literal(title), sql.Literal(body)
        )
        with tempfile.NamedTemporaryFile("w", suffix=".sql") as file:
            file.write(text.as_string() + "\n")
            file.flush()
            with self._running() as watch:
                transactions, seconds = _run_pgbench(self, case, Path(file.name))
        if contender.log is not None and contender.logged(self.superuser) != transactions:
            raise RuntimeError(f"{contender.name} logged another number of rows than were written")
        return Measurement(seconds / transactions, watch.wal_bytes // transactions, 1)

    @contextmanager
    def _running(self) -> Iterator[Stopwatch]:
        """Time and WAL of the block."""
        watch = Stopwatch()
        place = scalar(self.superuser, "select pg_current_wal_insert_lsn()")
        began = time.perf_counter()
        yield watch
        watch.seconds = time.perf_counter() - began
        written = sql.SQL("select pg_current_wal_insert_lsn() - {}::pg_lsn")
        watch.wal_bytes = int(scalar(self.superuser, written.format(sql.Literal(place))))


def _run_pgbench(bench: Bench, case: Pgbench, script: Path) -> tuple[int, float]:
    """Transactions done, and the seconds that they took, connecting left out."""
    result = subprocess.run(
        [
            str(embedded.program("pgbench")),
            "--no-vacuum",
            f"--protocol={case.protocol}",
            f"--client={case.clients}",
            "--jobs=1",
            f"--time={bench.pgbench_seconds}",
            f"--file={script}",
            bench.server.url,
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    found = dict(
        line.split(" = " if " = " in line else ": ", 1)
        for line in result.stdout.splitlines()
        if " = " in line or ": " in line
    )
    transactions = int(found["number of transactions actually processed"])
    return transactions, transactions / float(found["tps"].split()[0])


@contextmanager
def _rolled_back(conn: psycopg.Connection) -> Iterator[None]:
    """The statements of the block are undone: they only fill the caches of the session."""
    with conn.transaction(force_rollback=True):
        yield
