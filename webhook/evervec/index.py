"""Builds the vector index of a source once there is something to index; nobody waits for it."""

from __future__ import annotations

import random
import threading
import time
from typing import TYPE_CHECKING, Final

from evervec import logs
from evervec.db import DatabaseUnavailableError
from evervec.errors import EvervecError

if TYPE_CHECKING:
    from evervec.db import Database

# Steps on the way to an index: drop an invalid one, build, look again; more when others try too.
_MOST_STATEMENTS: Final = 8

_INSUFFICIENT_PRIVILEGE: Final = "42501"
# Deadlock detected, duplicate table (an index is one, too), object not there any more.
_ANOTHER_IS_AT_IT: Final = frozenset({"40P01", "42P07", "42704"})


def build(db: Database, source: str, *, rebuild: bool = False) -> bool:
    """Execute the source's index statements until none is left; False when it cannot be done here.

    Takes as long as the index (about 5 s for 10,000 vectors of 1,536 dimensions). CONCURRENTLY:
    neither readers nor writers wait. rebuild: an index of the vectors that stands is built anew.
    Raises EvervecError.
    """
    stood = _standing(db, source) if rebuild else set()
    for executed in range(_MOST_STATEMENTS):
        try:
            statement = db.index_statement(source)
            if statement is None and stood:
                # One that was built just now need not be built again.
                if stood & _standing(db, source):
                    statement = db.index_statement(source, rebuild=True)
                stood = set()
            if statement is None:
                if executed:
                    logs.info("index_built", source=source)
                return True
            if not executed:
                logs.info("index_started", source=source)
            db.execute_index_statement(statement)
        except EvervecError as error:
            if error.sqlstate in _ANOTHER_IS_AT_IT:
                # Of two who begin at once PostgreSQL ends one, which looks again a little later.
                time.sleep(random.uniform(0.1, 1.0))  # noqa: S311 (not a secret)
                continue
            if error.sqlstate != _INSUFFICIENT_PRIVILEGE:
                raise
            logs.warning(
                "index_not_permitted",
                source=source,
                hint="Let the owner of the embedding table run evervec.build_index(source).",
            )
            return False
    logs.warning("index_unfinished", source=source)
    return False


def _standing(db: Database, source: str) -> set[str | None]:
    """The valid index of the vectors, as the source wants it."""
    found = db.index_status(source)
    return {each.index for each in found if each.covers == "vectors" and each.state == "valid"}


class IndexBuilder:
    """Builds in a thread of its own, one index at a time, so that rows do not wait for it."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._thread: threading.Thread | None = None
        self._given_up: set[str] = set()
        self._stopped = False

    @property
    def busy(self) -> bool:
        """Whether a build is under way."""
        return self._thread is not None and self._thread.is_alive()

    def start_due(self) -> None:
        """Begin with the first index that is due, unless a build is under way."""
        if self.busy:
            return
        for source in self._db.due_indexes():
            if source not in self._given_up:
                self._thread = threading.Thread(
                    target=self._build, args=(source,), name="evervec-index", daemon=True
                )
                self._thread.start()
                return

    def stop(self) -> None:
        """Cancel a build under way; what it leaves is dropped by the next one."""
        self._stopped = True
        if self.busy and self._thread is not None:
            self._db.cancel_index_statement()
            self._thread.join(timeout=5)

    def _build(self, source: str) -> None:
        try:
            if not build(self._db, source):
                self._given_up.add(source)
        except DatabaseUnavailableError as error:
            logs.warning("index_interrupted", source=source, message=error.message)
        except EvervecError as error:
            # Tried again by the next run of the worker, not by this one every second.
            self._given_up.add(source)
            if self._stopped:
                logs.info("index_interrupted", source=source, message=error.message)
                return
            logs.error("index_failed", source=source, message=error.message)
