"""Places where a test makes this process die or stall: off unless EVERVEC_FAILPOINT names one.

    EVERVEC_FAILPOINT=NAME[:ACTION][@NTH]

NAME is a place below; ACTION is kill (SIGKILL to itself, the default), exit (status 70 at once),
hang (for ever) or sleep=SECONDS; NTH is which passage counts, the first by default. It fires once.
"""

from __future__ import annotations

import os
import re
import signal
import time
from dataclasses import dataclass
from threading import Lock
from typing import Final

from evervec import logs
from evervec.errors import EvervecError

VARIABLE: Final = "EVERVEC_FAILPOINT"

PLACES: Final = {
    "after_claim": "the jobs are leased, nothing is sent",
    "during_call": "the request is sent, the answer has not come",
    "before_complete": "the vectors are here, none is stored",
    "mid_complete": "vectors are written, their transaction is not committed",
    "after_complete": "the vectors of a request are stored, nothing is reported",
}

# What exit() ends with: EX_SOFTWARE.
_STATUS: Final = 70

_SPEC = re.compile(
    r"(?P<name>\w+)(:(?P<action>kill|exit|hang|sleep=(?P<seconds>\d+(\.\d+)?)))?(@(?P<nth>[1-9]\d*))?"
)


@dataclass(slots=True)
class _Armed:
    name: str
    action: str
    seconds: float
    left: int  # passages until it fires


_armed: _Armed | None = None
_lock = Lock()


def arm(spec: str) -> None:
    """Set the failpoint that a spec describes; an empty one sets none. Raises EvervecError."""
    global _armed
    _armed = None
    if not spec.strip():
        return
    found = _SPEC.fullmatch(spec.strip())
    if found is None or found["name"] not in PLACES:
        raise EvervecError(
            f"{VARIABLE} is no failpoint: {spec!r}",
            detail=f"Places: {', '.join(PLACES)}.",
            hint="Write NAME[:kill|exit|hang|sleep=SECONDS][@NTH], or unset it: it is for tests.",
        )
    action = (found["action"] or "kill").partition("=")[0]
    _armed = _Armed(found["name"], action, float(found["seconds"] or 0), int(found["nth"] or 1))
    logs.warning("failpoint_set", failpoint=spec.strip())


def is_armed(name: str) -> bool:
    """Whether this place is still to fire."""
    return _armed is not None and _armed.name == name


def hit(name: str) -> None:
    """Pass a place: nothing happens, unless it is the one that is set."""
    global _armed
    if _armed is None or _armed.name != name:
        return
    with _lock:
        armed = _armed
        armed.left -= 1
        if armed.left > 0:
            return
        _armed = None
    logs.warning("failpoint", failpoint=name, action=armed.action)
    if armed.action == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    elif armed.action == "exit":
        os._exit(_STATUS)
    elif armed.action == "sleep":
        time.sleep(armed.seconds)
    else:
        while True:
            time.sleep(3600)
