"""Texts to unit vectors by an offline model of evervec's, on all cores.

MODEL TEXTS VECTORS: a JSON list of texts, and the .npy file that is written: shape (texts,
dimensions), float32.
"""

from __future__ import annotations

import json
import sys
from concurrent.futures import ProcessPoolExecutor
from functools import cache, partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from evervec.providers.offline import Encode, encoder_of

PART = 500  # texts


@cache
def _encode(model: str) -> Encode:
    return encoder_of(f"evervec.providers.{model}").load()


def _vectors(model: str, texts: list[str]) -> NDArray[np.float32]:
    found = np.asarray(_encode(model)(texts), dtype=np.float32)
    unit: NDArray[np.float32] = found / np.linalg.norm(found, axis=1, keepdims=True)
    return unit


def main() -> None:
    """Write the file."""
    model, given, result = sys.argv[1:]
    texts: list[str] = json.loads(Path(given).read_text())
    parts = [texts[n : n + PART] for n in range(0, len(texts), PART)]
    with ProcessPoolExecutor() as pool:
        np.save(result, np.concatenate(list(pool.map(partial(_vectors, model), parts))))


if __name__ == "__main__":
    main()
