"""What the log says of jobs: their sources, how many, the numbers of the first, the attempt."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from evervec import logs
from evervec.records import grouped

if TYPE_CHECKING:
    from collections.abc import Sequence

    from evervec.records import Claim, ClaimedJob

# Job numbers in one line of the log.
_MOST_IDS: Final = 10


def log_jobs(
    event: str, jobs: Sequence[ClaimedJob], level: int = logging.INFO, **fields: logs.Field
) -> None:
    """An event of some jobs: their sources, how many, the numbers of the first, the attempt."""
    sources = dict.fromkeys(job.source for job in jobs)
    logs.log(
        level,
        event,
        **{
            "source": ",".join(filter(None, sources)) or None,
            "jobs": len(jobs),
            "job_ids": [job.job_id for job in jobs[:_MOST_IDS]],
            "attempt": max((job.attempts for job in jobs), default=0) + 1,
            **fields,
        },
    )


def log_queued(source: str | None, job_ids: Sequence[int]) -> None:
    """What a request has queued: so its id leads to the jobs, and theirs to what became of them."""
    logs.info("queued", source=source, jobs=len(job_ids), job_ids=list(job_ids[:_MOST_IDS]))


def log_claim(claim: Claim) -> None:
    """What the claim itself tells: rows that could not be rendered, and jobs that failed before."""
    for source, jobs in grouped(claim.jobs, lambda job: job.source):
        failed = [job for job in jobs if job.state == "failed"]
        rows = [job for job in failed if job.task_type == "embed"]
        if rows:
            log_jobs("render_failed", rows, logging.WARNING, source=source, error_class="render")
        for job in failed:
            if job.task_type != "embed":
                log_jobs("task_failed", [job], logging.WARNING, task_type=job.task_type)
        for error_class in sorted({job.last_class for job in jobs if job.last_class is not None}):
            again = [job for job in jobs if job.last_class == error_class]
            log_jobs(
                "tried_again",
                again,
                source=source,
                error_class=error_class,
                expiries=max(job.expiries for job in again) or None,
            )
