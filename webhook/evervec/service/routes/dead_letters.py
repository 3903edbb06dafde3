"""Jobs that gave up: seen, tried anew, or settled."""

from __future__ import annotations

from http import HTTPStatus
from typing import Final, Literal

from flask import Response
from pydantic import BaseModel, Field

from evervec.joblog import log_queued
from evervec.records import DeadLetter, LetterStatistics
from evervec.service import guard
from evervec.service.routes.jobs import Job
from evervec.service.schema import Asked, Id, Name, Parameters, Text, answer, blueprint
from evervec.service.state import state

api = blueprint("dead_letters")

_RESOLVED: Final = {"open": False, "resolved": True, "all": None}


class LettersQuery(Parameters):
    """Which of them; before: the `next` of the former page."""

    source: Name | None = None
    error_class: Name | None = None
    state: Literal["open", "resolved", "all"] = "open"
    limit: int = Field(default=100, ge=1, le=1_000)
    before: Id | None = None


class Letters(BaseModel):
    """A page, the newest first; next: the `before` of the next one, or null; and all in numbers."""

    letters: list[DeadLetter]
    next: int | None
    statistics: LetterStatistics


class LetterPath(Parameters):
    """The dead letter that is meant."""

    id: Id


class Resolution(Asked):
    """Who says so, the token by default; and why."""

    by: Text | None = None
    note: Text | None = None


class Resolved(BaseModel):
    """It is settled."""

    resolved: int


@api.get("/dead-letters", summary="List dead letters", responses={HTTPStatus.OK: Letters})
@guard.needs("read")
def letters(query: LettersQuery) -> Response:
    """Jobs that gave up, with every attempt and what it ended with."""
    db = state().db
    found = db.dead_letters(
        query.source,
        query.error_class,
        resolved=_RESOLVED[query.state],
        limit=query.limit,
        before=query.before,
    )
    return answer(
        Letters(
            letters=found,
            next=found[-1].dead_letter_id if len(found) == query.limit else None,
            statistics=db.dead_letter_statistics(query.source),
        )
    )


@api.post(
    "/dead-letters/<int:id>/retry", summary="Try one anew", responses={HTTPStatus.ACCEPTED: Job}
)
@guard.needs("write")
def retry(path: LetterPath) -> Response:
    """Queues it from its first attempt on, and has the webhook begin in the background."""
    job_id = state().db.retry_dead_letter(path.id)
    log_queued(None, [job_id])
    state().runner.ring()
    return answer(Job(id=job_id, status="queued"), HTTPStatus.ACCEPTED)


@api.post("/dead-letters/<int:id>/resolve", summary="Settle one", responses={200: Resolved})
@guard.needs("admin")
def resolve(path: LetterPath, body: Resolution) -> Response:
    """Nothing more is to be tried."""
    state().db.resolve_dead_letter(path.id, body.by or guard.name(), body.note)
    return answer(Resolved(resolved=path.id))
