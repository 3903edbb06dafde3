"""Providers by name, each imported only when a model asks for it: extras stay optional."""

from __future__ import annotations

import threading
import traceback
from dataclasses import replace
from functools import partial
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

from evervec.providers.base import (
    CHARACTERS_A_TOKEN,
    Embeddings,
    ErrorClass,
    Factory,
    Kind,
    NoProfileError,
    Provider,
    ProviderError,
    ProviderSetupError,
    Vectors,
    estimated_tokens,
    room,
    unusable_rows,
)
from evervec.providers.profiles import OPENAI, Profile, host, profile, variable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from evervec.config import Config
    from evervec.providers.pool import Pool
    from evervec.records import Model

__all__ = [
    "CHARACTERS_A_TOKEN",
    "Embeddings",
    "ErrorClass",
    "Factory",
    "Kind",
    "NoProfileError",
    "Profile",
    "Provider",
    "ProviderError",
    "ProviderSetupError",
    "Providers",
    "Vectors",
    "estimated_tokens",
    "host",
    "profile",
    "room",
    "unusable_rows",
]

# Providers that need neither key nor network.
OFFLINE: Final = ("local", "minilm")

# Where packages offer providers of their own: the name of a provider, and its Factory.
ENTRY_POINTS: Final = "evervec.providers"


def _openai(model: Model, *, timeout: float) -> Provider:
    from evervec.providers.openai import OpenAIProvider

    return OpenAIProvider(model, timeout=timeout)


def _azure(model: Model, *, timeout: float) -> Provider:
    from evervec.providers.openai import AzureProvider

    return AzureProvider(model, timeout=timeout)


class Providers:
    """The providers of one process, one for each model and profile, made when first asked for.

    timeout          seconds a provider has to answer one request
    tenants          the profile to use on behalf of each tenant; "*" stands for every other one
    local_processes  that compute an offline model; with one, this process does it itself

    May be used by several threads at once.
    """

    def __init__(
        self,
        *,
        timeout: float = 60.0,
        tenants: Mapping[str, str] | None = None,
        local_processes: int = 1,
    ) -> None:
        self._timeout = timeout
        self._tenants = dict(tenants or {})
        self._local_processes = local_processes
        self._pools: dict[str, Pool] = {}
        self._factories: dict[str, Factory] = {
            "azure": _azure,
            "openai": _openai,
            **{name: partial(self._offline, name) for name in OFFLINE},
        }
        self._made: dict[tuple[str, str], tuple[Model, Provider]] = {}
        # One each: a provider that takes long to be made holds up nobody else's.
        self._making: dict[tuple[str, str], threading.Lock] = {}
        self._pooling = threading.Lock()

    @classmethod
    def configured(cls, config: Config) -> Self:
        """Providers as the environment has them."""
        return cls(
            timeout=config.request_timeout,
            tenants=config.tenants,
            local_processes=config.local_processes,
        )

    def register(self, name: str, factory: Factory) -> None:
        """Add a provider, or put another in the place of one."""
        self._factories[name] = factory

    def embed(self, model: Model, texts: Sequence[str], kind: Kind) -> Embeddings:
        """Vectors of `texts`, shape (len(texts), model.dimensions), in one request.

        Adds the model's prefix and cuts what is beyond its input limit. Raises ProviderError.
        """
        prefix = model.document_prefix if kind == "document" else model.query_prefix
        most = room(model, kind)
        provider = self._of(model)
        try:
            answer = provider.embed([prefix + text[:most] for text in texts], kind)
            shape = answer.vectors.shape
        except ProviderError:
            raise
        except Exception as error:  # a worker does not end because of somebody's provider
            raise ProviderError(
                "server_error", f"provider {model.provider} failed: {_told(error)}"
            ) from error
        wanted = (len(texts), model.dimensions)
        if shape != wanted:
            raise ProviderError(
                "invalid_response",
                f"provider {model.provider} answered vectors of shape {shape}"
                f" where {wanted} is wanted (texts, dimensions of model {model.name})",
            )
        return answer

    @staticmethod
    def is_offline(model: Model) -> bool:
        """Whether the model is computed on this machine: more requests at once do not help it."""
        return model.provider in OFFLINE

    def prepare(self, model: Model) -> None:
        """Load what a model needs, before its first text comes. Raises ProviderError."""
        self._of(model)
        if self.is_offline(model):
            self.embed(model, ["ready"], "query")

    def embed_query(self, model: Model, text: str, tenant: str | None = None) -> Vectors:
        """The vector of a search, shape (model.dimensions,), on behalf of `tenant` if there is one.

        Raises ProviderError.
        """
        row: Vectors = self.embed_texts(self.model_of(tenant, model), [text], "query").vectors[0]
        return row

    def embed_texts(self, model: Model, texts: Sequence[str], kind: Kind) -> Embeddings:
        """As embed, for texts that are no rows: each must have a vector, or ProviderError says
        which has none.
        """
        answer = self.embed(model, texts, kind)
        for row, reason in unusable_rows(answer.vectors).items():
            which = f"text {row + 1}" if len(texts) > 1 else "this"
            raise ProviderError("bad_input", f"model {model.name} cannot place {which}: {reason}")
        return answer

    def model_of(self, tenant: str | None, model: Model) -> Model:
        """The model, its provider the profile that pays for a tenant's calls.

        Raises NoProfileError for a tenant without one.
        """
        if tenant is None or self.is_offline(model):
            return model  # offline: costs nobody anything, and nothing leaves the machine
        found = self._tenants.get(tenant) or self._tenants.get("*")
        if found is None:
            raise NoProfileError(
                f"no provider profile for tenant {tenant!r} is configured",
                hint="EVERVEC_PROFILES maps tenants to profiles: alice=azure_eu,*=openai.",
            )
        return replace(model, provider=found)

    def _of(self, model: Model) -> Provider:
        key = (model.name, model.provider)
        with self._making.setdefault(key, threading.Lock()):
            known = self._made.get(key)
            # Another request body or name under the same model needs another client.
            if known is not None and known[0] == model:
                return known[1]
            factory = self._factory(model)
            try:
                provider = factory(model, timeout=self._timeout)
            except ProviderError:
                raise
            except Exception as error:
                raise ProviderSetupError(
                    f"provider {model.provider!r} cannot be made: {_told(error)}"
                ) from error
            self._made[key] = (model, provider)
            return provider

    def _offline(self, name: str, model: Model, *, timeout: float) -> Provider:
        del timeout  # nothing here waits for anybody else
        from evervec.providers.offline import OfflineProvider
        from evervec.providers.pool import Pool

        module = f"{__name__}.{name}"
        with self._pooling:
            if self._local_processes > 1 and name not in self._pools:
                self._pools[name] = Pool(module, self._local_processes)
        return OfflineProvider(model, module, self._pools.get(name))

    def _factory(self, model: Model) -> Factory:
        """What makes the provider: the one of that name, or of the kind that the profile has."""
        name = model.provider
        found = self._named(name)
        if found is not None:
            return found
        kind = profile(name).kind or OPENAI
        found = self._named(kind)
        if found is not None:
            return found
        known = sorted({*self._factories, *entry_points(group=ENTRY_POINTS).names})
        raise ProviderSetupError(
            f"{variable(name, 'KIND')} names no kind of provider: {kind!r}",
            hint=f"Known are: {', '.join(known)}.",
        )

    def _named(self, name: str) -> Factory | None:
        if name in self._factories:
            return self._factories[name]
        for entry_point in entry_points(group=ENTRY_POINTS, name=name):
            try:
                factory: Factory = entry_point.load()
            except Exception as error:
                raise ProviderSetupError(
                    f"provider {name!r}, which is {entry_point.value}, cannot be loaded:"
                    f" {_told(error)}"
                ) from error
            return factory
        return None


def _told(error: Exception) -> str:
    """The kind of an error and its place; not its message, which may hold a text or a key."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__} at {Path(frame.filename).name}:{frame.lineno}"
