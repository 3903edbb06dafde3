"""What the requests and answers of all routes are made of."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import Annotated, Any, Final

from flask import Response
from flask_openapi3.blueprint import APIBlueprint
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from evervec.service.problems import RefusedError, described

# As PostgreSQL takes a text, and with something in it.
_TEXT: Final = r"^[^\x00]*[^\s\x00][^\x00]*$"

Name = Annotated[str, StringConstraints(min_length=1, max_length=63, pattern=r"^[^\x00]+$")]
Text = Annotated[str, StringConstraints(min_length=1, pattern=_TEXT)]
RowKey = Annotated[
    dict[str, Any] | str,
    Field(
        description="A key: an object of the key's columns, or that object as JSON text",
        examples=[{"id": 1}],
    ),
]
Id = Annotated[int, Field(ge=1, le=2**63 - 2)]


class Asked(BaseModel):
    """A body: nothing in it that is not described, and no string for a number."""

    model_config = ConfigDict(extra="forbid", strict=True)


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


class FilterUse(Asked):
    """A filter of a source, and its arguments by the names of its parameters."""

    name: Name
    arguments: dict[str, str | int | float | bool | None] = Field(default_factory=dict)


class Parameters(BaseModel):
    """What stands in the path, or behind the question mark."""

    model_config = ConfigDict(extra="forbid")


def key_text(key: dict[str, Any] | str) -> str:
    """A key as the database takes it."""
    return key if isinstance(key, str) else json.dumps(key)


def answer(body: BaseModel, status: HTTPStatus = HTTPStatus.OK) -> Response:
    """An answer of the shape that the document has."""
    return Response(body.model_dump_json(), status, mimetype="application/json")


def at_most(limit: int, given: int, what: str, variable: str) -> None:
    """Refuse more than the webhook is set up to take in one request."""
    if given > limit:
        raise RefusedError(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            "too-much",
            f"{given:,} {what} in one request, where {limit:,} are allowed",
            hint=f"Send several requests; {variable} is the limit.",
        )


def blueprint(name: str) -> APIBlueprint:
    """Routes of one topic below /v1, with what each of them may answer beside its own."""
    return APIBlueprint(
        name,
        __name__,
        url_prefix="/v1",
        abp_responses=described(
            HTTPStatus.BAD_REQUEST,
            HTTPStatus.UNAUTHORIZED,
            HTTPStatus.FORBIDDEN,
            HTTPStatus.NOT_FOUND,
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            HTTPStatus.UNPROCESSABLE_ENTITY,
            HTTPStatus.INTERNAL_SERVER_ERROR,
            HTTPStatus.BAD_GATEWAY,
            HTTPStatus.SERVICE_UNAVAILABLE,
            HTTPStatus.GATEWAY_TIMEOUT,
        ),
    )
