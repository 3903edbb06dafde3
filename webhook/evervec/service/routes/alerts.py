"""What needs attention now."""

from __future__ import annotations

from http import HTTPStatus

from flask import Response
from pydantic import BaseModel

from evervec.records import Alert
from evervec.service import guard
from evervec.service.schema import answer, blueprint
from evervec.service.state import state

api = blueprint("alerts")


class Alerts(BaseModel):
    """None: all is well. remedy: the statement, or command, that mends it."""

    alerts: list[Alert]


@api.get("/alerts", summary="List alerts", responses={HTTPStatus.OK: Alerts})
@guard.needs("read")
def alerts() -> Response:
    """By the thresholds in the table evervec.setting."""
    return answer(Alerts(alerts=state().db.alerts()))
