"""Sessions that wait for one another: statements in threads, and waiting until one is blocked."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import psycopg

from tests.support.sql_worker import value

PATIENCE = 20.0  # seconds until a test gives up


@dataclass
class Sessions:
    """Connections of one test, and a further one that looks at the server."""

    url: str
    watcher: psycopg.Connection
    opened: list[psycopg.Connection] = field(default_factory=list)

    def open(self, isolation: str | None = None) -> psycopg.Connection:
        """A new session, autocommit; isolation: what its transactions run under."""
        conn = psycopg.connect(self.url, autocommit=True)
        self.opened.append(conn)
        if isolation is not None:
            conn.execute(f"set default_transaction_isolation = '{isolation}'")
        return conn

    def begin(self, isolation: str | None = None) -> psycopg.Connection:
        """A new session inside a transaction that has its snapshot."""
        conn = self.open(isolation)
        conn.execute("begin")
        conn.execute("select 1 from pg_class limit 1")
        return conn

    def wait_until_blocked(self, conn: psycopg.Connection, *, by: psycopg.Connection) -> None:
        """Return once conn's statement waits for a lock that the other session holds."""
        pids = [conn.info.backend_pid, by.info.backend_pid]
        self.wait_until(
            lambda: value(self.watcher, "select %s = any (pg_blocking_pids(%s))", pids[1], pids[0])
        )

    def wait_until(self, condition: Callable[[], Any]) -> None:
        """Return once the condition holds."""
        until(condition)


def until(condition: Callable[[], Any]) -> None:
    """Return once the condition holds; it asks the server, so it is polled."""
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.002)


@contextmanager
def sessions(url: str) -> Iterator[Sessions]:
    """Sessions that are closed at the end, whatever they were doing."""
    with psycopg.connect(url, autocommit=True) as watcher:
        found = Sessions(url, watcher)
        try:
            yield found
        finally:
            for conn in found.opened:
                conn.close()


def in_thread(work: Callable[[], Any]) -> Future[Any]:
    """Run in a thread of its own; .result() gives its value or raises its error."""
    future: Future[Any] = Future()

    def run() -> None:
        try:
            future.set_result(work())
        except BaseException as error:
            future.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return future
