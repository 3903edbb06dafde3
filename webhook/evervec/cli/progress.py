"""A progress bar over a source that is being embedded, by this process or by others too."""

from __future__ import annotations

import time
from collections import deque
from typing import TYPE_CHECKING, Final

from rich.progress import BarColumn, Progress, TextColumn

from evervec.worker import Summary, Worker

if TYPE_CHECKING:
    import threading

    from rich.console import Console

    from evervec.config import Config
    from evervec.db import Database
    from evervec.processor import Batch
    from evervec.providers import Providers

# Counting what is left costs a query; the bar moves by our own batches in between.
_RECOUNT_SECONDS: Final = 1.0

# Long enough for a steady rate, short enough to follow a change of it.
_RATE_SECONDS: Final = 10.0


def embed_source(
    console: Console,
    db: Database,
    providers: Providers,
    config: Config,
    source: str,
    *,
    stop: threading.Event,
) -> Summary:
    """Work on one source until nothing of it is left, then build its index.

    Shows nothing where no terminal is. Raises EvervecError like Worker.drain.
    """
    with Progress(
        TextColumn("   {task.description}"),
        BarColumn(bar_width=30),
        TextColumn("{task.fields[note]}"),
        console=console,
        disable=not console.is_terminal,
    ) as progress:
        bar = _Bar(db, source, progress)
        worker = Worker(
            db,
            providers,
            config,
            sources=[source],
            stop=stop,
            on_batch=bar.advance,
            on_index=bar.index,
        )
        summary = worker.drain()
        bar.finish()
        return summary


class _Bar:
    """Rows done and still to be done, rate and time left; counts of other workers included."""

    def __init__(self, db: Database, source: str, progress: Progress) -> None:
        self._db = db
        self._source = source
        self._progress = progress
        self._started = self._counted = time.monotonic()
        self._done = 0
        self._left = db.pending(source).total
        self._samples: deque[tuple[float, int]] = deque()
        self._task = progress.add_task("embedding", total=self._left, note="")
        self._index_started: float | None = None

    def advance(self, batch: Batch) -> None:
        """Count a batch of ours in."""
        now = time.monotonic()
        self._done += batch.settled
        self._left = max(0, self._left - batch.settled)
        if now - self._counted > _RECOUNT_SECONDS:
            # A backfill's share is an estimate, rows come in, and other workers work too.
            self._counted = now
            self._left = self._db.pending(self._source).total
        self._samples.append((now, self._done))
        while now - self._samples[0][0] > _RATE_SECONDS and len(self._samples) > 2:
            self._samples.popleft()
        # The first batch also loads the model: the rate begins behind it.
        since, before = self._samples[0]
        rate = (self._done - before) / (now - since) if now > since else 0.0
        self._show(f"{rate:,.0f} rows/s, {clock(self._left / rate)} left" if rate else "")

    def index(self, _source: str) -> None:
        """The rows are done, their index begins."""
        self._settle()
        self._index_started = time.monotonic()
        self._index_task = self._progress.add_task("indexing", total=None, note="")

    def finish(self) -> None:
        """Nothing is left."""
        if self._index_started is None:
            self._settle()
        else:
            took = time.monotonic() - self._index_started
            self._progress.update(self._index_task, total=1, completed=1, note=f"{took:.1f} s")

    def _settle(self) -> None:
        self._left = 0
        seconds = time.monotonic() - self._started
        self._show(f"{self._done / max(seconds, 0.001):,.0f} rows/s, {clock(seconds)} in all")

    def _show(self, note: str) -> None:
        total = self._done + self._left
        self._progress.update(
            self._task,
            completed=self._done,
            total=total,
            note=f"{self._done:,} of {total:,}{', ' if note else ''}{note}",
        )


def clock(seconds: float) -> str:
    """Seconds as minutes and seconds, or as hours with them."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
