"""Providers by name, each imported only when a model asks for it: extras stay optional."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlsplit

from evervec.providers.base import (
    CHARACTERS_A_TOKEN,
    Embeddings,
    Kind,
    Provider,
    ProviderError,
    ProviderSetupError,
    Vectors,
    estimated_tokens,
    room,
    unusable_rows,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from evervec.records import Model

__all__ = [
    "CHARACTERS_A_TOKEN",
    "Embeddings",
    "Kind",
    "Provider",
    "ProviderError",
    "ProviderSetupError",
    "Providers",
    "Vectors",
    "estimated_tokens",
    "host",
    "room",
    "unusable_rows",
]


class Factory(Protocol):
    """Makes the provider of one model. Raises ProviderSetupError."""

    def __call__(self, model: Model, *, timeout: float) -> Provider: ...


def _local(model: Model, *, timeout: float) -> Provider:
    from evervec.providers.local import LocalProvider

    return LocalProvider(model, timeout=timeout)


def _openai(model: Model, *, timeout: float) -> Provider:
    from evervec.providers.openai import OpenAIProvider

    return OpenAIProvider(model, timeout=timeout)


def host(provider: str) -> str | None:
    """The host, with its port where one is given, that a provider of this name sends texts to from
    this environment; None where that is not known. Never anything else of the URL.
    """
    if provider != "openai":
        return None
    url = os.environ.get("OPENAI_BASE_URL", "").strip() or "https://api.openai.com/v1"
    try:
        return urlsplit(url).netloc.rpartition("@")[2] or None
    except ValueError:
        return None


class Providers:
    """The providers of one process, one for each model, made when first asked for.

    timeout  seconds a provider has to answer one request
    """

    def __init__(self, *, timeout: float = 60.0) -> None:
        self._timeout = timeout
        self._factories: dict[str, Factory] = {"local": _local, "openai": _openai}
        self._made: dict[str, tuple[Model, Provider]] = {}

    def register(self, name: str, factory: Factory) -> None:
        """Add a provider, or put another in the place of one."""
        self._factories[name] = factory

    def embed(self, model: Model, texts: Sequence[str], kind: Kind) -> Embeddings:
        """Vectors of `texts`, shape (len(texts), model.dimensions), in one request.

        Adds the model's prefix and cuts what is beyond its input limit. Raises ProviderError.
        """
        prefix = model.document_prefix if kind == "document" else model.query_prefix
        most = room(model, kind)
        answer = self._of(model).embed([prefix + text[:most] for text in texts], kind)
        wanted = (len(texts), model.dimensions)
        if answer.vectors.shape != wanted:
            raise ProviderError(
                "invalid_response",
                f"provider {model.provider} answered vectors of shape {answer.vectors.shape}"
                f" where {wanted} is wanted (texts, dimensions of model {model.name})",
            )
        return answer

    def prepare(self, model: Model) -> None:
        """Load what an offline model needs, before the first text comes. Raises ProviderError."""
        if model.provider == "local":
            self.embed(model, ["ready"], "query")

    def embed_query(self, model: Model, text: str) -> Vectors:
        """The vector of a search, shape (model.dimensions,). Raises ProviderError."""
        vectors = self.embed(model, [text], "query").vectors
        for reason in unusable_rows(vectors).values():
            raise ProviderError(
                "invalid_response", f"model {model.name} cannot place this: {reason}"
            )
        row: Vectors = vectors[0]
        return row

    def _of(self, model: Model) -> Provider:
        known = self._made.get(model.name)
        # Another request body or name under the same model needs another client.
        if known is not None and known[0] == model:
            return known[1]
        factory = self._factories.get(model.provider)
        if factory is None:
            raise ProviderSetupError(
                f"there is no provider {model.provider!r}, which model {model.name!r} asks for",
                hint=f"Known are: {', '.join(sorted(self._factories))}.",
            )
        provider = factory(model, timeout=self._timeout)
        self._made[model.name] = (model, provider)
        return provider
