"""An offline model for tests of the processes that compute one: it can be told how to fail.

A vector is (number of characters, number of the process that made it).
"""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Final

import numpy as np

from evervec.providers.base import Vectors
from evervec.providers.offline import Encode, Encoder

KILL, KILL_ONCE, HANG, RAISE = "kill ", "kill once ", "hang ", "raise "


def _vector(text: str) -> tuple[int, int]:
    if text.startswith(KILL_ONCE):
        mark = Path(text.removeprefix(KILL_ONCE).split()[0])
        if not mark.exists():
            mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)
    elif text.startswith(KILL):
        os.kill(os.getpid(), signal.SIGKILL)
    elif text.startswith(HANG):
        time.sleep(1_000)
    elif text.startswith(RAISE):
        raise ValueError(text)
    return len(text), os.getpid()


def _load() -> Encode:
    def encode(texts: list[str]) -> Vectors:
        # Long enough that one process alone does not take every piece.
        time.sleep(0.01)
        return np.array([_vector(text) for text in texts], dtype=np.float32)

    return encode


ENCODER: Final = Encoder(dimensions=2, extra="toy", needs=(), load=_load)
