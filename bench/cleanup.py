"""Forgetting a million expired rows while applications write: `make bench NAME=cleanup`.

A writer changes rows of a tracked table, has them claimed, completed and cached, each statement
timed: alone, and then while cleanup_expired is called until all kinds are 0. A lock of a call
lasts as long as the call, and a lookout asks twenty times a second whether anybody waits for one.
"""

from __future__ import annotations

import argparse
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from statistics import quantiles

import psycopg
from rich.console import Console

from bench.report import Report, Table, write
from bench.server import DIMENSIONS, MODEL, Server, running_server, versions
from bench.stats import duration, thousands

LONGEST = 0.1  # seconds that a lock may last

# What expired rows of a kind are made of, and their share of all; {rows} is filled in.
EXPIRED: dict[str, tuple[float, str]] = {
    "job_receipt": (
        0.4,
        (
            "insert into evervec.job_receipt (job_id, source_id, task_type, row_key, outcome,"
            " attempts,"
            " generation, created_at, finished_at)"
            " select -g, 1, 'embed', jsonb_build_object('id', g), 'completed', 1, 1,"
            " now() - interval '3 days', now() - interval '2 days'"
            " from generate_series(1, {rows}) g"
        ),
    ),
    "interaction_key": (
        0.25,
        (
            "insert into evervec.interaction_key (user_id, key, interaction_id, created_at)"
            " select g % 1000, g, g, now() - interval '1 year' from generate_series(1, {rows}) g"
        ),
    ),
    "embedding_cache": (
        0.2,
        (
            "insert into evervec.embedding_cache (model_id, content_hash, embedding, source_id,"
            " used_at)"
            " select 1, sha256(('Title: ' || g)::bytea),"
            " array_fill(0.1::real, array[{dimensions}])::vector, 1,"
            " now() - interval '1 year' from generate_series(1, {rows}) g"
        ),
    ),
    "analysis_cache": (
        0.1,
        (
            "insert into evervec.analysis_cache (user_id, name, value, expires_at)"
            " select g, 'taste', '{{}}', now() - interval '1 day' from generate_series(1, {rows}) g"
        ),
    ),
    "dead_letter": (
        0.05,
        (
            "insert into evervec.dead_letter (source_id, task_type, row_key, priority, error_class,"
            " message, first_failed_at, last_failed_at)"
            " select 1, 'embed', jsonb_build_object('id', g), 5, 'timeout', 'Too slow.',"
            " now() - interval '1 year', now() - interval '1 year'"
            " from generate_series(1, {rows}) g"
        ),
    ),
}


WRITE_ROW = "update note set title = %s where id = %s"
WRITE_KEY = (
    "insert into evervec.interaction_key (user_id, key, interaction_id) values ('1', %s, 1)"
    " on conflict do nothing"
)
WRITE_ANALYSIS = (
    "insert into evervec.analysis_cache (user_id, name, value, expires_at)"
    " values (%s, 'taste', '{}', now() + interval '1 day') on conflict do nothing"
)
WORK = (
    "select c.* from evervec.claim_jobs(10) j cross join lateral"
    " evervec.complete_jobs(j.lease_token, array[j.job_id], array[%s::real[]::vector]) c"
    " where j.state in ('embed', 'cached')"
)


@dataclass
class Cleaned:
    """The calls of cleanup_expired."""

    seconds: list[float] = field(default_factory=list)
    rows: int = 0


def main(arguments: Sequence[str] | None = None) -> None:
    """Run as a command."""
    parser = argparse.ArgumentParser(prog="bench.cleanup", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few rows; writes no docs")
    options = parser.parse_args(arguments)
    console = Console()
    rows = 50_000 if options.quick else 1_000_000
    with running_server(autovacuum="on") as server, server.connect() as conn:
        _fill(conn, rows)
        alone = _write(server, lambda: time.sleep(2 if options.quick else 10))
        cleaned, waits = Cleaned(), Cleaned()
        beside = _write(server, lambda: _clean(server, cleaned, waits))
        found = versions(conn)
    report = Report(
        name="cleanup",
        versions=found,
        settings=server.settings,
        facts={"expired": ", ".join(f"{thousands(rows * s)} {k}" for k, (s, _) in EXPIRED.items())},
        tables=(_calls(cleaned, waits), _latencies(alone, beside)),
    )
    report.print(console)
    if not options.quick:
        console.print(f"Written to {write(report)}")


def _fill(conn: psycopg.Connection, rows: int) -> None:
    """Expired rows of every kind, and a tracked table for the writer."""
    for share, statement in EXPIRED.values():
        conn.execute(statement.format(rows=round(rows * share), dimensions=DIMENSIONS).encode())
    conn.execute(
        "create table note (id integer primary key, title text);"
        "insert into note select g, 'Note ' || g from generate_series(1, 10000) g"
    )
    conn.execute(
        "select evervec.track('note', '{title}', p_model => %s, p_backfill => false)", [MODEL]
    )
    conn.execute("analyze")


def _write(server: Server, meanwhile: Callable[[], object]) -> list[float]:
    """Seconds of each statement of a writer, as long as `meanwhile` takes."""
    stop, seconds = threading.Event(), []

    def work() -> None:
        number = 0
        with server.connect() as conn:
            while not stop.is_set():
                number += 1
                # Every tenth text is one whose vector the cache has, and is about to forget.
                title = f"Note {number % 10_000}" if number % 10 else str(number)
                key = f"now {number}"
                for statement, parameters in (
                    (WRITE_ROW, [title, number % 10_000 + 1]),
                    (WRITE_KEY, [key]),
                    (WRITE_ANALYSIS, [key]),
                    (WORK, [[0.1] * DIMENSIONS]),
                ):
                    began = time.perf_counter()
                    conn.execute(statement, parameters)
                    seconds.append(time.perf_counter() - began)

    writer = threading.Thread(target=work)
    writer.start()
    try:
        meanwhile()
    finally:
        stop.set()
        writer.join()
    return seconds


def _clean(server: Server, cleaned: Cleaned, waits: Cleaned) -> None:
    """Call cleanup_expired until all kinds are 0; count how often somebody waited for it."""
    done = threading.Event()

    def watch(pid: int) -> None:
        with server.connect_superuser() as conn:
            while not done.wait(0.05):
                waits.seconds.append(0.0)
                waits.rows += len(
                    conn.execute(
                        "select from pg_stat_activity where %s = any (pg_blocking_pids(pid))", [pid]
                    ).fetchall()
                )

    with server.connect() as conn:
        lookout = threading.Thread(target=watch, args=[conn.info.backend_pid])
        lookout.start()
        try:
            limit = 1  # the first call of a session plans all statements, and locks one row
            while True:
                began = time.perf_counter()
                row = conn.execute(
                    "select sum(removed) from evervec.cleanup_expired(%s)", [limit]
                ).fetchone()
                cleaned.seconds.append(time.perf_counter() - began)
                if row is None or not row[0]:
                    break
                cleaned.rows += int(row[0])
                limit = 5_000
        finally:
            done.set()
            lookout.join()


def _calls(cleaned: Cleaned, waits: Cleaned) -> Table:
    longest = max(cleaned.seconds)
    return Table(
        "Calls of cleanup_expired, with a writer running",
        ("", "found", "bar", ""),
        (
            ("rows removed", thousands(cleaned.rows), "", ""),
            ("calls", thousands(len(cleaned.seconds)), "", ""),
            ("all calls", duration(sum(cleaned.seconds)), "", ""),
            ("median call", duration(quantiles(cleaned.seconds, n=2)[0]), "", ""),
            (
                "longest call, and so longest lock",
                duration(longest),
                duration(LONGEST),
                "met" if longest <= LONGEST else "MISSED",
            ),
            (
                f"sessions seen waiting for it, in {thousands(len(waits.seconds))} looks",
                thousands(waits.rows),
                "0",
                "met" if waits.rows == 0 else "MISSED",
            ),
        ),
    )


def _latencies(alone: list[float], beside: list[float]) -> Table:
    def line(name: str, of: Callable[[list[float]], float]) -> tuple[str, ...]:
        return name, duration(of(alone)), duration(of(beside))

    return Table(
        "A writer's statements",
        ("", "alone", "beside cleanup_expired"),
        (
            ("statements", thousands(len(alone)), thousands(len(beside))),
            line("median", lambda s: quantiles(s, n=2)[0]),
            line("99 %", lambda s: quantiles(s, n=100)[98]),
            line("longest", max),
        ),
    )


if __name__ == "__main__":
    main()
