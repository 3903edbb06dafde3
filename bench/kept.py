"""What benchmarks fetch or compute once, and keep: never in the repository.

It lies in EVERVEC_BENCH_CACHE, by default evervec-bench in the user's cache folder.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.server import ROOT
from bench.venvs import interpreter, run

Vectors = NDArray[np.float32]


def folder() -> Path:
    """Where all of it is kept."""
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
    found = Path(os.environ.get("EVERVEC_BENCH_CACHE", cache / "evervec-bench"))
    found.mkdir(parents=True, exist_ok=True)
    return found


def embed(name: str, texts: Sequence[str], model: str = "local") -> Vectors:
    """Unit vectors of an offline model of evervec's, as they were made the first time.

    `local` is installed for development, others get an environment of their own. On two cores
    63,000 texts of 300 characters take `local` two minutes and `minilm` twelve.
    """
    digest = hashlib.sha256("\0".join(texts).encode()).hexdigest()[:16]
    parts = (name, digest) if model == "local" else (name, model, digest)
    kept = folder() / f"{'-'.join(parts)}.npy"
    if not kept.exists():
        python = Path(sys.executable)
        if model != "local":
            python = interpreter(f"model-{model}", "--editable", f"{ROOT}[{model}]")
        given = kept.with_suffix(".json")
        given.write_text(json.dumps(list(texts)))
        partial = kept.with_suffix(".partial.npy")
        run(python, "-m", "bench.peers.embed", model, given, partial)
        partial.rename(kept)
        given.unlink()
    vectors: Vectors = np.load(kept)
    return vectors
