"""How a process that drains a queue is told to begin, and what it reports.

Processes begin together, when they are connected: starting Python is not what is measured.
"""

from __future__ import annotations

import json
import sys
import time


def wait() -> float:
    """Say that all is prepared, wait for the word to begin; the time then, of a clock that all
    processes of the machine share.
    """
    print("ready", flush=True)
    sys.stdin.readline()
    return time.monotonic()


def report(began: float, jobs: int) -> None:
    """What was done since."""
    print(json.dumps({"began": began, "ended": time.monotonic(), "jobs": jobs}), flush=True)
