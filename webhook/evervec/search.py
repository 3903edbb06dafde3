"""Searches in words from Python: `from evervec import Search`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Self

from evervec import queries
from evervec.config import Config
from evervec.db import Database
from evervec.errors import EvervecError
from evervec.providers import Providers

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import TracebackType

    from evervec.db import Vector
    from evervec.records import Match, Neighbour


class Search:
    """Searches of one database in words; may be used by several threads at once.

        with Search("postgresql://app@db.example.org/shop") as search:
            for row in search("film", "a robot that feels", limit=5):
                print(row.key, row.similarity)

    database_url  libpq URL or key=value string; None: EVERVEC_DATABASE_URL, or libpq's own
                  variables. Keys and URLs of providers come from the environment, as a worker's.

    The vector of the words is kept in the database for 24 hours (setting query_cache_keep), so that
    only new words are a request to the model, and what they find while nothing changes. Nothing is
    kept where the role or the server does not permit it. Every method raises EvervecError: with an
    sqlstate where the database says no (VE101 unknown source, 42501 not permitted, …), of its kind
    DatabaseUnavailableError where it is away, and ProviderError where the model gives no vector.
    """

    def __init__(self, database_url: str | None = None) -> None:
        config = Config.from_environment(database_url=database_url)
        self._db = Database(config.database_url, connect_timeout=config.connect_timeout)
        self._providers = Providers.configured(config)

    def __enter__(self) -> Self:
        self._db.open()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._db.close()

    def __call__(
        self,
        source: str,
        words: str,
        *,
        limit: int = 10,
        min_similarity: float | None = None,
        exclude: Sequence[str] = (),
        scope: str | None = None,
        arguments: Mapping[str, str | int | float | bool | None] | None = None,
        tenant: str | None = None,
    ) -> list[Neighbour]:
        """The rows nearest in meaning to `words`, nearest first, `limit` at most.

        Each has row_key (JSON text), key (a dictionary of the key's columns), similarity and
        distance. min_similarity: leave out what is less similar. exclude: row_keys to leave out.
        scope, arguments: among what this filter (evervec.add_filter) leaves, such as one user's.
        tenant: whose profile (EVERVEC_PROFILES) asks the model.
        """
        if scope is not None:
            return queries.search_among(
                self._db,
                self._providers,
                source,
                scope,
                json.dumps(dict(arguments or {})),
                _some(words),
                limit,
                min_similarity,
                exclude,
                tenant=tenant,
            )
        return queries.search(
            self._db,
            self._providers,
            source,
            _some(words),
            limit,
            min_similarity,
            exclude,
            tenant=tenant,
        )

    def hybrid(
        self,
        source: str,
        words: str,
        *,
        limit: int = 10,
        vector_weight: float = 1.0,
        text_weight: float = 1.0,
        exclude: Sequence[str] = (),
        tenant: str | None = None,
    ) -> list[Match]:
        """The rows that meaning and words find together, best first; see evervec.hybrid_search.

        Each has row_key, key, score, vector_rank, similarity, text_rank and text_score. A weight of
        0 leaves that search out. Raises VE219 where the source is tracked without p_text_search.
        """
        return queries.hybrid_search(
            self._db,
            self._providers,
            source,
            _some(words),
            limit,
            vector_weight,
            text_weight,
            exclude,
            tenant=tenant,
        )

    def vector(self, source: str, words: str, *, tenant: str | None = None) -> Vector:
        """The vector of `words` by the source's model: float32, shape (dimensions of the model,).

        For SQL of your own: nearest_<source>, find_similar.
        """
        return queries.query_vector(self._db, self._providers, source, _some(words), tenant)


def _some(words: str) -> str:
    if not words.strip():
        raise EvervecError("there are no words to search for", sqlstate="VE218")
    return words
