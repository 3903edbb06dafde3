"""The run in the background that a ring begins: one at a time, however often it rings."""

from __future__ import annotations

import atexit
import logging
import threading
import time
from typing import TYPE_CHECKING, Final

from evervec import logs
from evervec.db import Database
from evervec.errors import EvervecError
from evervec.index import IndexBuilder
from evervec.worker import Worker

if TYPE_CHECKING:
    from evervec.config import Config
    from evervec.providers import Providers

# Changes of this time after a ring are not rung for (evervec.configure_push, p_debounce).
DEBOUNCE_SECONDS: Final = 1.0

# Batches at a time beside requests, which wait for their turns of Python among these threads: with
# sixteen, a ring takes several times as long to be answered.
BATCHES: Final = 4


class Runner:
    """Works in a thread of its own when it is rung for, until nothing is due.

    A ring during a run has it look once more. May be rung by several threads at once.
    """

    def __init__(self, config: Config, providers: Providers) -> None:
        self._config = config
        self._providers = providers
        # Its own, so that requests do not wait for the connections of a batch.
        self._db = Database(
            config.database_url,
            connect_timeout=config.connect_timeout,
            application_name="evervec webhook run",
        )
        self._builder = IndexBuilder(self._db)
        self._bell = threading.Event()
        self._stop = threading.Event()
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None

    def ring(self) -> None:
        """Have what is due done, soon."""
        with self._starting:
            # Not before: a server forks its processes after the application is made.
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._listen, name="evervec-runner", daemon=True
                )
                self._thread.start()
                atexit.register(self.close)
        self._bell.set()

    def close(self) -> None:
        """Finish the request in hand; the rest goes back to the queue."""
        self._stop.set()
        self._bell.set()
        if self._thread is not None:
            self._thread.join()
        self._builder.stop()
        self._db.close()

    def _listen(self) -> None:
        rung = False
        while not self._stop.is_set():
            # After a run once more without a ring: changes right behind one are not rung for.
            rung = self._bell.wait(DEBOUNCE_SECONDS if rung else None)
            self._bell.clear()
            if not self._stop.is_set():
                self._run()

    def _run(self) -> None:
        started = time.monotonic()
        logs.debug("run_started", worker=self._config.worker_name)
        worker = Worker(self._db, self._providers, self._config, stop=self._stop)
        try:
            self._db.connect()
            worker.catch_up()
            self._builder.start_due()
        except EvervecError as error:
            # Nothing is lost: it is all queued, and rung for again.
            logs.error("run_failed", message=error.message, sqlstate=error.sqlstate)
        except Exception as error:  # the thread has to outlive it
            logs.error("run_failed", message=f"unexpected {type(error).__name__}")
        level = logging.INFO if worker.summary.batches else logging.DEBUG
        logs.log(level, "run_finished", **worker.summary.report(time.monotonic() - started))
