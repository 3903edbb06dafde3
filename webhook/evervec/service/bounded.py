"""Work within one request: so many jobs, so many seconds."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from pydantic import BaseModel

from evervec.worker import Worker

if TYPE_CHECKING:
    from collections.abc import Sequence

    from evervec.service.state import State


class Done(BaseModel):
    """What was done. Counts are jobs.

    Of what was processed, generated cost a call and cached did not; unchanged had its vector;
    errors are attempts that failed, retried later or dead; what is left is in the queue.
    """

    processed: int
    generated: int
    cached: int
    unchanged: int
    errors: int
    retried: int
    dead: int
    tokens: int
    seconds: float


def work(
    state: State,
    *,
    jobs: int,
    seconds: float,
    sources: Sequence[str] | None = None,
    job_ids: Sequence[int] | None = None,
) -> Done:
    """Process what is due, at most `jobs`; after `seconds` the request in hand is the last.

    Raises EvervecError.
    """
    started = time.monotonic()
    stop = threading.Event()
    worker = Worker(
        state.db,
        state.providers,
        replace(state.config, concurrency=1),
        sources=sources,
        job_ids=job_ids,
        stop=stop,
    )
    timer = threading.Timer(seconds, stop.set)
    timer.start()
    try:
        report = worker.catch_up(jobs).report(time.monotonic() - started)
    finally:
        timer.cancel()
    return Done.model_validate({"processed": report["records"]} | report)
