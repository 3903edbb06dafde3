"""A bulk DELETE against four workers that complete the same rows."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial

import psycopg

from tests.support.in_step import assert_in_step, drain_all
from tests.support.sessions import PATIENCE, Sessions, in_thread
from tests.support.sql_worker import Row, claim, complete, rows, value

ROWS = 10_000
SURVIVORS = 100
WORKERS = 4
BATCH = 50


@dataclass
class Tally:
    """What the workers did; durations in seconds, as the clients measured them."""

    outcomes: Counter[str] = field(default_factory=Counter)
    completions: list[tuple[int, float, float]] = field(default_factory=list)  # pid, begin, end
    lock: threading.Lock = field(default_factory=threading.Lock)

    @contextmanager
    def completion(self, conn: psycopg.Connection) -> Iterator[None]:
        """Time one transaction of complete."""
        begin = time.monotonic()
        yield
        with self.lock:
            self.completions.append((conn.info.backend_pid, begin, time.monotonic()))

    def longest(self, pid: int) -> float:
        return max((end - begin for p, begin, end in self.completions if p == pid), default=0)


Waits = dict[tuple[datetime, int], float]


def watch(watcher: psycopg.Connection, pid: int, waits: Waits, stop: threading.Event) -> None:
    """Note the lock waits of a session that are seen: (since when, blocker) → seconds.

    pg_locks knows when a wait began: each is measured from there, until it was last seen.
    """
    while not stop.is_set():
        for row in rows(
            watcher,
            """
            select waitstart, b.pid as blocker,
                   extract(epoch from clock_timestamp() - waitstart)::float as waited
              from pg_locks l cross join unnest(pg_blocking_pids(l.pid)) as b (pid)
             where l.pid = %s and not granted and waitstart is not null
            """,
            pid,
        ):
            waits[row["waitstart"], row["blocker"]] = row["waited"]


def work(conn: psycopg.Connection, tally: Tally, stop: threading.Event) -> None:
    """Claim and complete until told to stop."""
    while not stop.is_set():
        jobs: list[Row] = claim(conn, BATCH)
        with tally.completion(conn):
            outcomes = complete(conn, jobs)
        with tally.lock:
            tally.outcomes.update(outcomes)


def test_a_bulk_delete_against_four_workers(film: psycopg.Connection, others: Sessions) -> None:
    """No deadlock, no orphan, no lock wait longer than the complete transaction it waits for."""
    film.execute(
        "insert into film select g, 'Film ' || g from generate_series(11, %s) g", [ROWS + SURVIVORS]
    )
    tally, stop = Tally(), threading.Event()
    jobs = claim(film, BATCH)
    workers = [in_thread(partial(work, others.open(), tally, stop)) for _ in range(WORKERS)]
    others.wait_until(lambda: any(w.done() for w in workers) or tally.outcomes["completed"] >= 500)
    deleter, watcher = others.open(), others.open()
    waits: Waits = {}
    watched = in_thread(lambda: watch(watcher, deleter.info.backend_pid, waits, stop))

    # One completion is caught in the act, so that the DELETE meets at least that one.
    with tally.completion(film):
        film.execute("begin")
        complete(film, jobs)
        begin = time.monotonic()
        deleted = in_thread(
            lambda: (deleter.execute("delete from film where id <= %s", [ROWS]), time.monotonic())
        )
        others.wait_until(
            lambda: any(blocker == film.info.backend_pid for _, blocker in list(waits))
        )
        film.execute("commit")
    _, end = deleted.result(PATIENCE)
    stop.set()
    for worker in workers:
        worker.result(PATIENCE)  # a deadlock would be raised here
    watched.result(PATIENCE)

    assert sum(1 for _, b, e in tally.completions if b < end and e > begin) >= 2, "nothing met"
    for (_, blocker), waited in waits.items():
        assert 0 < waited <= tally.longest(blocker)

    drain_all(film, 1000)
    assert_in_step(film)
    assert value(film, "select count(*) from film_embedding") == SURVIVORS
    assert value(film, "select count(*) from evervec.processing_queue") == 0
