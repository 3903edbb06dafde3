"""Which model each thread of a worker works for: no provider may keep all of them waiting."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from evervec.db import Database

# How long an answer about active sources is good: with one model it is asked for at each claim.
_KNOWN_SECONDS: Final = 1.0


class Places:
    """The threads at work, by model. May be used by several threads at once.

    most  threads there may be
    """

    def __init__(self, db: Database, most: int) -> None:
        self._db = db
        self._most = most
        self._lock = threading.Lock()
        self._taken: dict[int, str] = {}
        self._active: dict[str, str] = {}
        self._known_until = 0.0

    def allowed(self, sources: Sequence[str] | None) -> Sequence[str] | None:
        """Those of the sources that this thread may work for; None: all.

        When all other threads work for one model, this one keeps to the sources of others, so that
        they go on when that model's provider hangs; where there are none it is as free as ever.
        """
        with self._lock:
            return self._allowed(sources)

    def take(self, model: str, source: str, sources: Sequence[str] | None) -> bool:
        """Have this thread work for the model of a source, unless it may not; whether it does."""
        with self._lock:
            allowed = self._allowed(sources)
            if allowed is not None and source not in allowed:
                return False
            self._taken[threading.get_ident()] = model
            return True

    def leave(self) -> None:
        """Have this thread work for none."""
        with self._lock:
            self._taken.pop(threading.get_ident(), None)

    def _allowed(self, sources: Sequence[str] | None) -> Sequence[str] | None:
        this = threading.get_ident()
        others = [model for thread, model in self._taken.items() if thread != this]
        if not others or len(others) < self._most - 1 or len(set(others)) > 1:
            return sources
        elsewhere = [
            source
            for source, model in self._active_sources().items()
            if model != others[0] and (sources is None or source in sources)
        ]
        return elsewhere or sources

    def _active_sources(self) -> dict[str, str]:
        if time.monotonic() > self._known_until:
            self._active = self._db.active_sources()
            self._known_until = time.monotonic() + _KNOWN_SECONDS
        return self._active
