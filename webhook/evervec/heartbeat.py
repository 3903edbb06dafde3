"""Keeps the lease of a claim while the work on it goes on, however long a provider takes."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from evervec import logs
from evervec.db import Database
from evervec.errors import EvervecError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from uuid import UUID

    from evervec.config import Config

# How soon a beat that failed is repeated: a database that restarts takes leases back at once.
_AGAIN_SECONDS: Final = 0.5

# Beyond what a request may take, so much without a sign of progress means that the process is
# stuck: a heart that went on beating would keep its rows from everybody for ever.
_GRACE_SECONDS: Final = 60.0


class Lease:
    """The lease of one claim. Its worker says `progress`, and asks whether it is `lost`."""

    def __init__(self, token: UUID, seconds: float, claimed_at: float) -> None:
        self.token = token
        self.lost = False
        self._seconds = seconds
        self._kept_at = claimed_at
        self._progress_at = time.monotonic()

    @property
    def overdue(self) -> bool:
        """Whether no beat has come through for so long that the rows may be another's already."""
        return time.monotonic() - self._kept_at > self._seconds * 2 / 3

    @property
    def idle_seconds(self) -> float:
        """Since the worker last moved."""
        return time.monotonic() - self._progress_at

    def progress(self) -> None:
        """The worker moves."""
        self._progress_at = time.monotonic()

    def extend(self, db: Database, config: Config) -> None:
        """Keep the lease for its full time from now, or find that it is lost."""
        asked_at = time.monotonic()
        if db.extend_lease(self.token, config.lease) > 0:
            self._kept_at = asked_at
        else:
            self.lost = True


class Heartbeat:
    """Extends leases from a thread and a connection of its own, a third of their time after one
    another.

    stuck_seconds  without progress, after which a lease is no longer extended
    """

    def __init__(self, config: Config, *, stuck_seconds: float | None = None) -> None:
        self._config = config
        self._stuck_seconds = (
            2 * config.request_timeout + _GRACE_SECONDS if stuck_seconds is None else stuck_seconds
        )

    @contextmanager
    def keeping(self, token: UUID, claimed_at: float) -> Iterator[Lease]:
        """The lease, kept for the time of the block. The thread is not waited for at its end: a
        beat too many does no harm, a database that does not answer would.
        """
        lease = Lease(token, self._config.lease_seconds, claimed_at)
        over = threading.Event()
        threading.Thread(
            target=self._beat, args=(lease, over), name="heartbeat", daemon=True
        ).start()
        try:
            yield lease
        finally:
            over.set()

    def _beat(self, lease: Lease, over: threading.Event) -> None:
        interval = self._config.lease_seconds / 3
        pause = interval
        while not over.wait(pause) and not lease.lost:
            if lease.idle_seconds > self._stuck_seconds:
                logs.error("worker_stuck", lease=str(lease.token), seconds=lease.idle_seconds)
                return
            try:
                with Database(
                    self._config.database_url,
                    connect_timeout=self._config.connect_timeout,
                    max_size=1,
                    application_name="evervec heartbeat",
                ) as db:
                    lease.extend(db, self._config)
                pause = interval
            except EvervecError as error:
                if not over.is_set():
                    logs.warning("heartbeat_failed", message=error.message)
                pause = min(interval, _AGAIN_SECONDS)
