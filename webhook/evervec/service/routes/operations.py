"""For whoever runs it: probes, figures, the tick of a scheduler, and the document itself."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Final, Literal, cast

from flask import Response, current_app, jsonify
from prometheus_client import CONTENT_TYPE_LATEST
from pydantic import BaseModel, RootModel

from evervec import upkeep
from evervec.records import Ticked
from evervec.service import guard, metrics, readiness
from evervec.service.schema import answer, blueprint
from evervec.service.state import state

if TYPE_CHECKING:
    from flask_openapi3.openapi import OpenAPI

api = blueprint("operations")

_CRON: Final[list[dict[str, list[str]]]] = [{"cron": []}]
_FIGURES: Final = {"content": {"text/plain": {"schema": {"type": "string"}}}}


class Health(BaseModel):
    """The process answers."""

    status: Literal["ok"] = "ok"


class Tick(RootModel[Ticked]):
    """Rows that were moved."""


@api.get("/healthz", summary="Is it there?", security=[{}], responses={HTTPStatus.OK: Health})
@guard.guarded(guard.nobody)
def healthz() -> Response:
    """Whether the process answers; it asks nobody."""
    return answer(Health())


@api.get("/readyz", summary="Can it work?", responses={HTTPStatus.OK: Health})
@guard.needs("read")
def readyz() -> Response:
    """Whether the database is there and migrated, and every model in use has its provider."""
    readiness.check(state())
    return answer(Health())


@api.get("/metrics", summary="Figures for Prometheus", responses={HTTPStatus.OK: _FIGURES})
@guard.needs("read")
def figures() -> Response:
    """Queue, rates, cost: of all workers, as the database has them."""
    return Response(metrics.exposition(state().db), content_type=CONTENT_TYPE_LATEST)


@api.get("/cron/tick", summary="Tick", security=_CRON, responses={HTTPStatus.OK: Tick})
@api.post("/cron/tick", summary="Tick", security=_CRON, responses={HTTPStatus.OK: Tick})
@guard.guarded(guard.cron)
def tick() -> Response:
    """Upkeep, for schedulers outside the database; then it rings the doorbell."""
    ticked = state().db.tick()
    upkeep.run(state().db)
    state().runner.ring()
    return answer(Tick(ticked))


@api.get("/openapi.json", doc_ui=False)
@guard.needs("read")
def document() -> Response:
    """What this webhook understands."""
    return jsonify(cast("OpenAPI", current_app).api_doc)
