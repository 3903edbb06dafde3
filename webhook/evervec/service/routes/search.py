"""Rows by their meaning."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import Any

from flask import Response
from pydantic import BaseModel, Field

from evervec import queries
from evervec.records import Neighbour
from evervec.service import guard
from evervec.service.schema import Asked, FilterUse, Name, Text, answer, blueprint
from evervec.service.state import state

api = blueprint("search")


class Query(Asked):
    """Words to search for; filter: one that evervec.add_filter made, with its arguments."""

    source: Name
    words: Text
    limit: int = Field(default=10, ge=1, le=1_000)
    min_similarity: float | None = None
    filter: FilterUse | None = None
    tenant: Name | None = None


class Row(BaseModel):
    """A row: its key, and as JSON text, exactly, to be given back."""

    key: dict[str, Any]
    row_key: str
    similarity: float
    distance: float

    @classmethod
    def of(cls, found: Neighbour) -> Row:
        """The same, for the answer."""
        return cls(
            key=found.key,
            row_key=found.row_key,
            similarity=found.similarity,
            distance=found.distance,
        )


class Found(BaseModel):
    """Rows, the nearest first."""

    rows: list[Row]


@api.post("/search", summary="Search in words", responses={HTTPStatus.OK: Found})
@guard.needs("read")
def search(body: Query) -> Response:
    """The rows nearest in meaning to the words, whose vector is paid for once a day at most."""
    db, providers, tenant = state().db, state().providers, guard.tenant(body.tenant)
    if body.filter is None:
        rows = queries.search(
            db, providers, body.source, body.words, body.limit, body.min_similarity, tenant=tenant
        )
    else:
        rows = queries.search_among(
            db,
            providers,
            body.source,
            body.filter.name,
            json.dumps(body.filter.arguments),
            body.words,
            body.limit,
            body.min_similarity,
            tenant=tenant,
        )
    return answer(Found(rows=[Row.of(row) for row in rows]))
