"""Vectors of texts that are no rows."""

from __future__ import annotations

from http import HTTPStatus

from flask import Response
from pydantic import BaseModel, Field

from evervec import queries
from evervec.providers import Kind
from evervec.service import guard
from evervec.service.schema import Asked, Name, Text, answer, at_most, blueprint
from evervec.service.state import state

api = blueprint("embed")


class Texts(Asked):
    """Texts for a model; tenant: whose provider profile pays, where the token is nobody's."""

    model: Name
    texts: list[Text] = Field(min_length=1)
    kind: Kind = "query"
    tenant: Name | None = None


class Embedded(BaseModel):
    """One vector a text, in their order; cached: how many were known, tokens: of the others."""

    model: str
    dimensions: int
    vectors: list[list[float]]
    cached: int
    tokens: int


@api.post("/embed", summary="Embed texts", responses={HTTPStatus.OK: Embedded})
@guard.needs("read")
def embed(body: Texts) -> Response:
    """Texts that were embedded in the last 24 hours are not paid for again."""
    at_most(state().config.max_texts, len(body.texts), "texts", "EVERVEC_MAX_TEXTS")
    db = state().db
    model = db.get_model(body.model)
    found = queries.text_vectors(
        db, state().providers, model, body.texts, body.kind, guard.tenant(body.tenant)
    )
    return answer(
        Embedded(
            model=model.name,
            dimensions=model.dimensions,
            vectors=[vector.tolist() for vector in found.vectors],
            cached=found.cached,
            tokens=found.tokens,
        )
    )
