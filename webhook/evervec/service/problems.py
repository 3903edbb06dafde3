"""Errors as problem documents (RFC 9457), made of SQLSTATE, message, DETAIL and HINT."""

from __future__ import annotations

import math
import traceback
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Final, cast

from flask import Response
from pydantic import BaseModel, Field
from werkzeug.exceptions import HTTPException

from evervec import logs
from evervec.db import DatabaseUnavailableError
from evervec.errors import EvervecError
from evervec.providers import NoProfileError, ProviderError

if TYPE_CHECKING:
    from typing import Any

    from flask import Flask
    from pydantic import ValidationError

_MIMETYPE: Final = "application/problem+json"

# SQLSTATE, or how it begins, → status; the longest that fits counts.
_STATUS: Final = {
    "VE": HTTPStatus.BAD_REQUEST,
    "VE0": HTTPStatus.SERVICE_UNAVAILABLE,  # evervec or pgvector is not installed as it should be
    "VE101": HTTPStatus.NOT_FOUND,
    "VE108": HTTPStatus.NOT_FOUND,
    "VE208": HTTPStatus.NOT_FOUND,
    "VE213": HTTPStatus.FORBIDDEN,
    "VE304": HTTPStatus.NOT_FOUND,
    "22": HTTPStatus.BAD_REQUEST,  # a value that its type does not take
    "23": HTTPStatus.BAD_REQUEST,
    "3F000": HTTPStatus.SERVICE_UNAVAILABLE,  # not migrated, or not far enough
    "42P01": HTTPStatus.SERVICE_UNAVAILABLE,
    "42883": HTTPStatus.SERVICE_UNAVAILABLE,
    "42501": HTTPStatus.FORBIDDEN,
    "40": HTTPStatus.SERVICE_UNAVAILABLE,  # another moment will do
    "55P03": HTTPStatus.SERVICE_UNAVAILABLE,
    "57014": HTTPStatus.SERVICE_UNAVAILABLE,
}

# Class of a provider's error → status; its other classes are a bad gateway.
_PROVIDER_STATUS: Final = {
    "bad_input": HTTPStatus.BAD_REQUEST,
    "timeout": HTTPStatus.GATEWAY_TIMEOUT,
    "rate_limit": HTTPStatus.SERVICE_UNAVAILABLE,
    "quota": HTTPStatus.SERVICE_UNAVAILABLE,
    "auth": HTTPStatus.SERVICE_UNAVAILABLE,
}


class FieldProblem(BaseModel):
    """Where a request is not as the document says, and why."""

    field: str
    message: str


class Problem(BaseModel):
    """What went wrong: type and status for programs, the rest for people."""

    type: str = Field(examples=["urn:evervec:VE101", "urn:evervec:provider-profile", "about:blank"])
    title: str
    status: int
    detail: str | None = None
    hint: str | None = None
    sqlstate: str | None = None
    errors: list[FieldProblem] | None = None


class RefusedError(Exception):
    """A request that is refused by the webhook itself; kind: the end of the problem's type."""

    def __init__(
        self, status: HTTPStatus, kind: str, message: str, *, hint: str | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.kind = kind
        self.hint = hint


def described(*statuses: HTTPStatus) -> dict[str | int | HTTPStatus, Any]:
    """Answers with a problem, for the document."""
    schema = {"schema": {"$ref": f"#/components/schemas/{Problem.__name__}"}}
    return {
        str(status.value): {"description": status.phrase, "content": {_MIMETYPE: schema}}
        for status in statuses
    }


def register(app: Flask) -> None:
    """Answer every error of the application with a problem."""
    app.register_error_handler(RefusedError, _of_refusal)
    app.register_error_handler(EvervecError, _of_error)
    app.register_error_handler(HTTPException, _of_http)
    app.register_error_handler(Exception, _of_fault)


def of_validation(error: ValidationError) -> Response:
    """A request that is not as the document says; nothing of it is repeated."""
    errors = [
        FieldProblem(field=".".join(map(str, found["loc"])), message=found["msg"])
        for found in error.errors(include_url=False, include_context=False, include_input=False)
    ]
    status = HTTPStatus.UNPROCESSABLE_ENTITY
    return _answer(
        Problem(
            type="urn:evervec:request",
            title="the request is not as /v1/openapi.json describes it",
            status=status,
            errors=errors,
        )
    )


def _of_refusal(error: RefusedError) -> Response:
    answer = _answer(
        Problem(
            type=f"urn:evervec:{error.kind}",
            title=str(error),
            status=error.status,
            hint=error.hint,
        )
    )
    if error.status == HTTPStatus.UNAUTHORIZED:
        answer.headers["WWW-Authenticate"] = 'Bearer realm="evervec"'
    return answer


def _of_error(error: EvervecError) -> Response:
    kind, status = _kind(error), _status(error)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        logs.warning("request_failed", problem=kind, status=int(status), sqlstate=error.sqlstate)
    answer = _answer(
        Problem(
            type=f"urn:evervec:{kind}",
            title=error.message,
            status=status,
            detail=error.detail,
            hint=error.hint,
            sqlstate=error.sqlstate,
        )
    )
    if isinstance(error, ProviderError) and error.retry_after is not None:
        answer.headers["Retry-After"] = str(math.ceil(error.retry_after.total_seconds()))
    return answer


def _kind(error: EvervecError) -> str:
    if isinstance(error, NoProfileError):
        return "provider-profile"
    if isinstance(error, ProviderError):
        return f"provider-{error.error_class.replace('_', '-')}"
    if isinstance(error, DatabaseUnavailableError):
        return "database"
    return error.sqlstate or "fault"


def _status(error: EvervecError) -> HTTPStatus:
    if isinstance(error, NoProfileError):
        return HTTPStatus.BAD_REQUEST
    if isinstance(error, ProviderError):
        return _PROVIDER_STATUS.get(error.error_class, HTTPStatus.BAD_GATEWAY)
    if isinstance(error, DatabaseUnavailableError):
        return HTTPStatus.SERVICE_UNAVAILABLE
    state = error.sqlstate or ""
    return next(
        (_STATUS[state[:n]] for n in range(len(state), 0, -1) if state[:n] in _STATUS),
        HTTPStatus.INTERNAL_SERVER_ERROR,
    )


def _of_http(error: HTTPException) -> Response:
    """What Flask itself refuses: no such route, a method, a body too large."""
    if error.response is not None:
        return cast("Response", error.response)  # made by of_validation
    answer = _answer(
        Problem(
            type="about:blank",
            title=error.name,
            status=error.code or 500,
            detail=error.description,
        )
    )
    for name, value in error.get_headers():
        if name != "Content-Type":
            answer.headers[name] = value
    return answer


def _of_fault(error: Exception) -> Response:
    """A fault of ours. The log has its kind and place, not its message: that may hold a text."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    logs.error(
        "request_fault",
        error=type(error).__name__,
        at=f"{Path(frame.filename).name}:{frame.lineno}",
    )
    return _answer(
        Problem(
            type="urn:evervec:fault",
            title="this is a fault of evervec",
            status=HTTPStatus.INTERNAL_SERVER_ERROR,
            hint="The log of the webhook has its place.",
        )
    )


def _answer(problem: Problem) -> Response:
    return Response(problem.model_dump_json(exclude_none=True), problem.status, mimetype=_MIMETYPE)
