"""Threads that process batches side by side: while one waits for its provider, others write."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from evervec import logs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from evervec.processor import Batch


class Crew:
    """Threads beside the caller's own, called in while there is more work than he can do.

    run_batch  processes one batch
    most       threads at most; 0 leaves all work to the caller
    stop       once set, nobody begins another batch
    """

    def __init__(self, run_batch: Callable[[], Batch], most: int, stop: threading.Event) -> None:
        self._run_batch = run_batch
        self._most = most
        self._stop = stop
        self._lock = threading.Lock()
        self._threads: set[threading.Thread] = set()
        self._trouble: Exception | None = None
        self._dismissed = False

    def call(self, most: int | None = None) -> None:
        """One more thread, unless `most` are at work; it leaves when it finds nothing to do."""
        most = self._most if most is None else min(most, self._most)
        with self._lock:
            if len(self._threads) >= most or self._at_rest:
                return
            thread = threading.Thread(target=self._work, name="evervec-batches", daemon=True)
            try:
                thread.start()
            except RuntimeError as error:
                # The machine has no room for one more: who is there goes on.
                logs.warning("thread_not_started", message=str(error))
                return
            # Before it can leave: that takes the lock, too.
            self._threads.add(thread)

    def dismiss(self) -> None:
        """Nobody begins another batch, from now on."""
        self._dismissed = True

    def join(self) -> None:
        """Wait until nobody is at work."""
        while True:
            with self._lock:
                thread = next(iter(self._threads), None)
            if thread is None:
                return
            thread.join()

    @contextmanager
    def joined(self) -> Iterator[None]:
        """Leave the block when nobody is at work any more; raises what check does.

        After an error what is in hand is finished, no more: all that is queued might take hours.
        """
        try:
            yield
        except BaseException:
            self.dismiss()
            raise
        finally:
            self.join()
        self.check()

    def check(self) -> None:
        """Raise what stopped one of the threads: it is the caller's to deal with, once."""
        trouble, self._trouble = self._trouble, None
        if trouble is not None:
            raise trouble

    @property
    def _at_rest(self) -> bool:
        return self._dismissed or self._stop.is_set() or self._trouble is not None

    def _work(self) -> None:
        try:
            while not self._at_rest and self._run_batch().claimed:
                pass
        except Exception as error:
            self._trouble = error
        finally:
            with self._lock:
                self._threads.discard(threading.current_thread())
