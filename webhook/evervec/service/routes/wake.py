"""The doorbell, and work while the caller waits."""

from __future__ import annotations

from dataclasses import asdict
from http import HTTPStatus

from flask import Response
from pydantic import BaseModel, Field

from evervec import bounded
from evervec.service import guard
from evervec.service.schema import Asked, Done, Name, answer, at_most, blueprint
from evervec.service.state import state

api = blueprint("wake")


class Accepted(BaseModel):
    """The doorbell was heard."""

    accepted: bool = True


class Portion(Asked):
    """How much is to be done at most; sources: of which, all where they are not named."""

    jobs: int = Field(default=100, ge=1)
    seconds: float = Field(default=10.0, gt=0)
    sources: list[Name] | None = None


@api.post(
    "/wake",
    summary="Ring the doorbell",
    security=[{"ring": []}, {"token": []}],
    responses={HTTPStatus.ACCEPTED: Accepted},
)
@guard.guarded(guard.ring)
def wake() -> Response:
    """Work begins in the background; a ring during a run has it look once more."""
    state().runner.ring()
    return answer(Accepted(), HTTPStatus.ACCEPTED)


@api.post("/process", summary="Work now", responses={HTTPStatus.OK: Done})
@guard.needs("write")
def process(body: Portion) -> Response:
    """Processes what is due, within bounds; what waits for a retry is left."""
    config = state().config
    at_most(config.max_rows, body.jobs, "jobs", "EVERVEC_MAX_ROWS")
    done = bounded.work(
        state().db,
        state().providers,
        config,
        jobs=body.jobs,
        seconds=min(body.seconds, config.max_seconds),
        sources=body.sources,
    )
    return answer(Done(**asdict(done)))
