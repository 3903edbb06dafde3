"""Jobs: asked for in bulk, and followed."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import Any, Literal

from flask import Response
from pydantic import BaseModel, Field, RootModel

from evervec.joblog import log_queued
from evervec.records import JobStatus
from evervec.service import guard
from evervec.service.problems import RefusedError
from evervec.service.schema import (
    Asked,
    Id,
    Name,
    Parameters,
    RowKey,
    answer,
    at_most,
    blueprint,
    key_text,
)
from evervec.service.state import state

api = blueprint("jobs")


class Bulk(Asked):
    """Rows of a source to be embedded; operation and priority: see evervec.enqueue."""

    source: Name
    keys: list[RowKey] = Field(min_length=1)
    operation: Literal["create", "update", "bulk", "retry"] = "bulk"
    priority: int | None = Field(default=None, ge=1, le=10)
    metadata: dict[str, Any] = Field(default_factory=dict)


class Job(BaseModel):
    """A job, and where it is."""

    id: int
    status: str


class Queued(BaseModel):
    """One job a key, in their order."""

    queued: int
    jobs: list[Job]


class Followed(RootModel[JobStatus]):
    """Everything that is known of a job."""


class JobPath(Parameters):
    """The job that is meant."""

    id: Id


@api.post("/jobs/bulk", summary="Queue rows", responses={HTTPStatus.ACCEPTED: Queued})
@guard.needs("write")
def bulk(body: Bulk) -> Response:
    """Queues rows by their keys, and has the webhook begin with them in the background."""
    at_most(state().config.max_rows, len(body.keys), "keys", "EVERVEC_MAX_ROWS")
    job_ids = state().db.enqueue(
        body.source,
        [key_text(key) for key in body.keys],
        operation=body.operation,
        priority=body.priority,
        triggered_by="webhook",
        metadata=json.dumps(body.metadata),
    )
    log_queued(body.source, job_ids)
    state().runner.ring()
    jobs = [Job(id=job_id, status="queued") for job_id in job_ids]
    return answer(Queued(queued=len(jobs), jobs=jobs), HTTPStatus.ACCEPTED)


@api.get("/jobs/<int:id>", summary="Follow a job", responses={HTTPStatus.OK: Followed})
@guard.needs("read")
def job(path: JobPath) -> Response:
    """Where a job is, and what became of it: for 24 hours after its end."""
    found = state().db.job_status(path.id)
    if found.state == "unknown":
        raise RefusedError(
            HTTPStatus.NOT_FOUND, "job", f"nobody knows job {path.id}, or it ended long ago"
        )
    return answer(Followed(found))
