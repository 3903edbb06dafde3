"""The vector of what somebody searches for, paid for once a day at most."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

from evervec.errors import EvervecError

if TYPE_CHECKING:
    from collections.abc import Callable

    from evervec.db import Database, Vector
    from evervec.providers import Providers
    from evervec.records import Model

T = TypeVar("T")

_INSUFFICIENT_PRIVILEGE: Final = "42501"


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
        found = _where_permitted(lambda: db.cached_query(model.name, words))
        if found is not None:
            return found
    vector = providers.embed_query(paid_by, words)
    if cached:
        _where_permitted(lambda: db.cache_query(model.name, words, vector))
    return vector


def _where_permitted(call: Callable[[], T]) -> T | None:
    try:
        return call()
    except EvervecError as error:
        if error.sqlstate != _INSUFFICIENT_PRIVILEGE:
            raise
        return None
