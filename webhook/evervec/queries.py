"""Searches in words: the vector of the words is paid for once a day at most."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final, TypeVar

from evervec.errors import EvervecError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from evervec.db import Database, Vector
    from evervec.providers import Providers
    from evervec.records import Match, Model, Neighbour

T = TypeVar("T")

_INSUFFICIENT_PRIVILEGE: Final = "42501"
_VECTOR_NOT_KNOWN: Final = "VE207"


def search(
    db: Database,
    providers: Providers,
    source: str,
    words: str,
    limit: int = 10,
    min_similarity: float | None = None,
    exclude: Sequence[str] = (),
    *,
    tenant: str | None = None,
    cached: bool = True,
) -> list[Neighbour]:
    """The rows of a source nearest in meaning to `words`, nearest first.

    tenant, cached: as query_vector. Raises ProviderError, EvervecError.
    """
    if cached and tenant is None:
        found = _unless(
            (_INSUFFICIENT_PRIVILEGE, _VECTOR_NOT_KNOWN),
            lambda: db.search(source, words, limit, min_similarity, exclude),
        )
        if found is not None:
            return found
    model = db.get_model(db.get_source(source).model)
    vector = query_vector(db, providers, model, words, tenant, cached=cached)
    return db.find_similar(source, vector, limit, min_similarity, exclude)


def hybrid_search(
    db: Database,
    providers: Providers,
    source: str,
    words: str,
    limit: int = 10,
    vector_weight: float = 1.0,
    text_weight: float = 1.0,
    exclude: Sequence[str] = (),
    *,
    tenant: str | None = None,
    cached: bool = True,
) -> list[Match]:
    """The rows of a source that meaning and words find together, best first.

    The vector of the words is only asked for where it has a weight. tenant, cached: as
    query_vector. Raises ProviderError, EvervecError.
    """
    find = partial(
        db.hybrid_search,
        source,
        words,
        limit=limit,
        vector_weight=vector_weight,
        text_weight=text_weight,
        exclude=exclude,
    )
    if not vector_weight:
        return find()
    if cached and tenant is None:
        found = _unless((_INSUFFICIENT_PRIVILEGE, _VECTOR_NOT_KNOWN), find)
        if found is not None:
            return found
    model = db.get_model(db.get_source(source).model)
    return find(query=query_vector(db, providers, model, words, tenant, cached=cached))


def query_vector(
    db: Database,
    providers: Providers,
    model: Model,
    words: str,
    tenant: str | None = None,
    *,
    cached: bool = True,
) -> Vector:
    """The vector of `words`, shape (model.dimensions,), from the database where it has it.

    A role that may not use the cache, and a read-only server, are no obstacle.
    tenant: who pays for what is not there. cached: False neither looks for it nor keeps it.
    Raises ProviderError, EvervecError.
    """
    # A tenant whom nobody knows is refused, whatever others have searched for.
    paid_by = providers.model_of(tenant, model)
    if cached:
        found = _unless((_INSUFFICIENT_PRIVILEGE,), lambda: db.cached_query(model.name, words))
        if found is not None:
            return found
    vector = providers.embed_query(paid_by, words)
    if cached:
        _unless((_INSUFFICIENT_PRIVILEGE,), lambda: db.cache_query(model.name, words, vector))
    return vector


def _unless(states: tuple[str, ...], call: Callable[[], T]) -> T | None:
    """What the call returns, or None where the database answers with one of these SQLSTATEs."""
    try:
        return call()
    except EvervecError as error:
        if error.sqlstate not in states:
            raise
        return None
