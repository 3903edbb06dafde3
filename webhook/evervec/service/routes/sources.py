"""What is tracked, how far it is, and vectors for some of its rows now."""

from __future__ import annotations

import json
from dataclasses import asdict
from http import HTTPStatus
from typing import Literal

from flask import Response
from pydantic import BaseModel, Field

from evervec.generate import generate as generate_vectors
from evervec.records import Coverage, QueueHealth, SourceStatus
from evervec.service import guard
from evervec.service.schema import (
    Asked,
    Done,
    FilterUse,
    Name,
    Parameters,
    RowKey,
    answer,
    at_most,
    blueprint,
    key_text,
)
from evervec.service.state import state

api = blueprint("sources")


class SourcePath(Parameters):
    """The source that is meant."""

    name: Name


class Sources(BaseModel):
    """Every source, by name."""

    sources: list[SourceStatus]


class StatusQuery(Parameters):
    """exact: coverage is counted, which reads and renders the whole table."""

    coverage: Literal["estimate", "exact"] = "estimate"


class Progress(BaseModel):
    """How far a source is; eta and rate: see evervec.queue_health.

    coverage: of what the planner estimates, unless it is asked for exactly.
    """

    coverage: Coverage
    queue: QueueHealth


class Wanted(Asked):
    """Which rows: these keys; or, by default, those of the source, or of a filter, without vector.

    missing     only rows without a vector; with keys it does not count
    scope       a filter that evervec.add_filter made, such as one user's library
    after       where the former answer ended (its `next`)
    batch_size  rows of this call at most
    tenant      whose provider profile pays, where the token is nobody's; default: the model's
    """

    keys: list[RowKey] | None = Field(default=None, min_length=1)
    missing: bool = True
    scope: FilterUse | None = None
    after: RowKey | None = None
    batch_size: int = Field(default=100, ge=1)
    seconds: float = Field(default=30.0, gt=0)
    tenant: Name | None = None


class Generated(Done):
    """What was done of the rows that were queued; next: the `after` of the next call, or null."""

    queued: int
    next: str | None


@api.get("/sources", summary="List the sources", responses={HTTPStatus.OK: Sources})
@guard.needs("read")
def sources() -> Response:
    """Every tracked table with its queue."""
    return answer(Sources(sources=state().db.status()))


@api.get("/sources/<name>/status", summary="Progress", responses={HTTPStatus.OK: Progress})
@guard.needs("read")
def status(path: SourcePath, query: StatusQuery) -> Response:
    """Coverage, queue, rate and the time that is left."""
    db = state().db
    db.get_source(path.name)
    (queue,) = db.queue_health(path.name)
    coverage = db.coverage(path.name) if query.coverage == "exact" else queue.estimated_coverage
    return answer(Progress(coverage=coverage, queue=queue))


@api.post(
    "/sources/<name>/generate",
    summary="Generate vectors now",
    responses={HTTPStatus.OK: Generated},
)
@guard.needs("write")
def generate(path: SourcePath, body: Wanted) -> Response:
    """Queues these rows before all others and processes just them, within bounds."""
    config, scope = state().config, body.scope
    size = body.batch_size if body.keys is None else len(body.keys)
    at_most(config.max_rows, size, "rows", "EVERVEC_MAX_ROWS")
    done = generate_vectors(
        state().db,
        state().providers,
        config,
        path.name,
        keys=None if body.keys is None else [key_text(key) for key in body.keys],
        missing=body.missing,
        scope=scope.name if scope else None,
        arguments=json.dumps(scope.arguments) if scope else "{}",
        after=key_text(body.after) if body.after is not None else None,
        batch_size=body.batch_size,
        seconds=min(body.seconds, config.max_seconds),
        tenant=guard.tenant(body.tenant),
        triggered_by="webhook",
    )
    return answer(Generated(**asdict(done)))
