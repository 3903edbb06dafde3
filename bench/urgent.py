"""How long an urgent change waits behind a bulk update: one worker, no time for the model."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from datetime import timedelta

import numpy as np
import psycopg

from bench.server import DIMENSIONS, Server
from evervec.db import Database

_MARK = "read this one first"


@dataclass
class Worker(threading.Thread):
    """Claims 100 jobs at a time and completes them with made-up vectors, as fast as it can."""

    url: str
    jobs: int = 0
    urgent_at: float | None = None
    stop: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        super().__init__(name="worker")

    def __hash__(self) -> int:
        return id(self)

    def run(self) -> None:
        """Work until told to stop, or until the urgent row was claimed."""
        vector = np.full(DIMENSIONS, 0.5, dtype=np.float32)
        with Database(self.url) as db:
            while self.urgent_at is None and not self.stop.is_set():
                claim = db.claim_jobs(100, timedelta(minutes=5), "bench")
                if claim is None:
                    self.stop.wait(0.1)
                    continue
                if any(_MARK in (job.content or "") for job in claim.jobs):
                    self.urgent_at = time.perf_counter()
                due = [job.job_id for job in claim.jobs if job.state == "embed"]
                db.complete_jobs(claim.lease_token, due, [vector] * len(due))
                self.jobs += len(due)


def wait_of_urgent_row(
    server: Server, superuser: psycopg.Connection, rows: int, limit: float = 300.0
) -> tuple[float, int]:
    """Seconds from the commit of the urgent row to its claim, and the jobs done meanwhile.

    `rows` rows of 500 characters are updated in one statement; then another, urgent row is.
    The worker is polling all the while. TimeoutError after `limit` seconds.
    """
    superuser.execute(
        "truncate fold.article, fold.article_embedding, evervec.change_log,"
        " evervec.processing_queue, evervec.job_receipt"
    )
    superuser.execute(
        "insert into fold.article (id, body) select g, left(t.body || t.body, 500)"
        " from generate_series(1, %s) g join bench.short t"
        " on t.id = 1 + g %% (select max(id) from bench.short)",
        [rows + 1],
    )
    superuser.execute("vacuum analyze fold.article")
    worker = Worker(server.url)
    worker.start()
    try:
        with server.connect() as writer:
            writer.execute(
                "update fold.article set body = substr(body, 2) || 'x' where id <= %s", [rows]
            )
            before = worker.jobs
            writer.execute(
                "update fold.article set body = %s, urgent = true where id = %s",
                [_MARK, rows + 1],
            )
            committed = time.perf_counter()
        worker.join(limit)
        if worker.urgent_at is None:
            raise TimeoutError(f"the urgent row was not claimed within {limit} s")
        return worker.urgent_at - committed, worker.jobs - before
    finally:
        worker.stop.set()
        worker.join()
