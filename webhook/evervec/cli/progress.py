"""A progress bar over a source that is being embedded, by this process or by others too."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, TextColumn
from rich.progress import TimeRemainingColumn as Remaining
from rich.text import Text

from evervec.worker import Summary, Worker

if TYPE_CHECKING:
    import threading

    from rich.console import Console
    from rich.progress import Task

    from evervec.config import Config
    from evervec.db import Database
    from evervec.processor import Batch
    from evervec.providers import Providers

# Counting what is left costs a query; the bar moves by our own batches in between.
_RECOUNT_SECONDS: Final = 1.0


class _Rate(ProgressColumn):
    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text("" if speed is None else f"{speed:,.0f} rows/s")


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

    Raises EvervecError like Worker.drain.
    """
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=None),
        MofNCompleteColumn(),
        _Rate(),
        Remaining(compact=True, elapsed_when_finished=True),
        console=console,
        # Rows come in batches: a rate over a few seconds is steadier, and the ETA with it.
        speed_estimate_period=10,
    ) as bar:
        total = db.pending(source).total
        task = bar.add_task(f"embedding {source}", total=total)
        done = 0
        recounted = time.monotonic()

        def advance(batch: Batch) -> None:
            nonlocal done, total, recounted
            done += batch.settled
            if time.monotonic() - recounted > _RECOUNT_SECONDS:
                recounted = time.monotonic()
                # The number of rows that a backfill has before it is an estimate, and rows come in.
                total = done + db.pending(source).total
            bar.update(task, completed=done, total=max(total, done))

        def indexing(_name: str) -> None:
            bar.update(task, completed=done, total=done)
            bar.add_task(f"building the index of {source}", total=None)

        worker = Worker(
            db,
            providers,
            config,
            sources=[source],
            stop=stop,
            on_batch=advance,
            on_index=indexing,
        )
        return worker.drain()
