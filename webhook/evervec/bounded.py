"""Work within bounds: so many jobs, so many seconds."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from evervec.worker import Worker

if TYPE_CHECKING:
    from collections.abc import Sequence

    from evervec.config import Config
    from evervec.db import Database
    from evervec.providers import Providers


@dataclass(frozen=True, slots=True)
class Done:
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
    db: Database,
    providers: Providers,
    config: Config,
    *,
    jobs: int,
    seconds: float,
    sources: Sequence[str] | None = None,
    job_ids: Sequence[int] | None = None,
    tenant: str | None = None,
) -> Done:
    """Process what is due, at most `jobs`; after `seconds` the request in hand is the last.

    tenant: as Worker. Raises EvervecError.
    """
    started = time.monotonic()
    stop = threading.Event()
    worker = Worker(
        db,
        providers,
        replace(config, concurrency=1),
        sources=sources,
        job_ids=job_ids,
        stop=stop,
        tenant=tenant,
    )
    timer = threading.Timer(seconds, stop.set)
    timer.start()
    try:
        did = worker.catch_up(jobs)
    finally:
        timer.cancel()
    return Done(
        processed=did.claimed,
        generated=did.embedded,
        cached=did.cached,
        unchanged=did.unchanged,
        errors=did.retried + did.dead,
        retried=did.retried,
        dead=did.dead,
        tokens=did.tokens,
        seconds=round(time.monotonic() - started, 3),
    )
