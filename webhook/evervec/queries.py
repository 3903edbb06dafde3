"""Searches in words: the vector of the words is paid for once a day at most."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final, TypeVar

from evervec.errors import EvervecError
from evervec.texts import packed

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from evervec.db import Database, Vector
    from evervec.providers import Kind, Providers
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
    vector = query_vector(db, providers, source, words, tenant, cached=cached)
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
    return find(query=query_vector(db, providers, source, words, tenant, cached=cached))


def search_among(
    db: Database,
    providers: Providers,
    source: str,
    filter_name: str,
    arguments: str,
    words: str,
    limit: int = 10,
    min_similarity: float | None = None,
    exclude: Sequence[str] = (),
    *,
    tenant: str | None = None,
) -> list[Neighbour]:
    """The rows that a filter of the source leaves, nearest in meaning to `words` first.

    arguments: of the filter, a JSON text. tenant: as query_vector. Raises ProviderError,
    EvervecError.
    """
    vector = query_vector(db, providers, source, words, tenant)
    return db.find_similar_among(
        source, filter_name, arguments, vector, limit, min_similarity, exclude
    )


def query_vector(
    db: Database,
    providers: Providers,
    source: str,
    words: str,
    tenant: str | None = None,
    *,
    cached: bool = True,
) -> Vector:
    """The vector of `words` by the source's model; the rest as text_vectors."""
    model = db.get_model(db.get_source(source).model)
    return text_vectors(db, providers, model, [words], "query", tenant, cached=cached).vectors[0]


@dataclass(frozen=True, slots=True)
class TextVectors:
    """Vectors of texts, one each, shape (dimensions,): how many were known, and what others cost.

    tokens  as the provider counts them; 0 where it does not say
    """

    vectors: list[Vector]
    cached: int
    tokens: int


def text_vectors(
    db: Database,
    providers: Providers,
    model: Model,
    texts: Sequence[str],
    kind: Kind,
    tenant: str | None = None,
    *,
    cached: bool = True,
) -> TextVectors:
    """The vectors of `texts`, from the database where it has them.

    A role that may not use the cache, and a read-only server, are no obstacle.
    tenant: who pays for what is not there. cached: False neither looks for it nor keeps it.
    Raises ProviderError, EvervecError.
    """
    # A tenant whom nobody knows is refused, whatever others have searched for.
    paid_by = providers.model_of(tenant, model)
    found: dict[str, Vector | None] = dict.fromkeys(texts)
    if cached:
        names = list(found)
        known = _unless(
            (_INSUFFICIENT_PRIVILEGE,), lambda: db.cached_queries(model.name, names, kind)
        )
        found.update(zip(names, known or [], strict=known is not None))
    wanted = {text: None for text, vector in found.items() if vector is None}
    tokens = 0
    for request in packed(model, wanted, content=str, most_together=lambda _: model.batch_texts):
        answer = providers.embed_texts(paid_by, request, kind)
        found.update(zip(request, answer.vectors, strict=True))
        tokens += answer.tokens
        if cached:
            _unless(
                (_INSUFFICIENT_PRIVILEGE,),
                partial(db.cache_queries, model.name, request, list(answer.vectors), kind),
            )
    vectors = [vector for text in texts if (vector := found[text]) is not None]
    return TextVectors(vectors, sum(text not in wanted for text in texts), tokens)


def _unless(states: tuple[str, ...], call: Callable[[], T]) -> T | None:
    """What the call returns, or None where the database answers with one of these SQLSTATEs."""
    try:
        return call()
    except EvervecError as error:
        if error.sqlstate not in states:
            raise
        return None
