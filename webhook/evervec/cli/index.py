"""evervec index: build, rebuild and look at the indexes of sources."""

from __future__ import annotations

import shutil
import threading
import time
from collections import deque
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click
from rich.progress import BarColumn, Progress, TextColumn
from rich.table import Table
from rich.text import Text

from evervec import index as indexes
from evervec import logs
from evervec.cli.app import App, Command, Group, common_options, pass_app
from evervec.cli.progress import clock
from evervec.errors import EvervecError
from evervec.worker import stopping_on_signals

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from evervec.db import Database
    from evervec.records import IndexState

_MB: Final = 1024**2
_SHARED_MEMORY: Final = Path("/dev/shm")  # noqa: S108 - nothing is written there
_LOOK_SECONDS: Final = 0.25
# Long enough for a steady rate, short enough to follow what slows the build down.
_RATE_SECONDS: Final = 20.0


@dataclass(frozen=True)
class Advice:
    """What would make a build slow or fail, and the setting that prevents it."""

    problem: str
    remedy: str


@click.group(
    cls=Group,
    examples=[
        "evervec index status",
        "evervec index build film",
        "evervec index rebuild film",
    ],
)
def index() -> None:
    """Build indexes without blocking anybody, and see how they are."""


@index.command(cls=Command, examples=["evervec index status", "evervec index status film --json"])
@click.argument("sources", nargs=-1, metavar="[SOURCE]...")
@common_options
@pass_app
def status(app: App, sources: tuple[str, ...]) -> None:
    """Show every index of SOURCEs, or of all: what it is, and whether it can be used.

    Rows are the planner's estimate; effort is what `evervec tune` has stored.
    """
    with app.database() as db:
        found = [state for name in sources or (None,) for state in db.index_status(name)]
    if app.as_json:
        app.print_json([asdict(state) for state in found])
        return
    if not found:
        app.say("No table is tracked yet. Try: evervec track public.film --columns title,genres")
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("source", "index", "of", "state", "method", "precision", "options"):
        table.add_column(name, overflow="fold")
    for name in ("size", "≈ rows", "effort"):
        table.add_column(name, justify="right")
    for state in found:
        built = "" if state.progress is None else f" {state.progress:.0%}"
        table.add_row(
            Text(state.source),
            Text(state.index or "–"),
            state.covers,
            state.state + built,
            "–" if state.state == "none" else state.method,
            state.precision or "–",
            Text(", ".join(state.options or ()) or "–"),
            "–" if state.bytes is None else size(state.bytes),
            "–" if state.rows is None else f"{state.rows:,}",
            "–" if state.effort is None else f"{state.effort:,}",
        )
    app.console.print(table)


@index.command(
    cls=Command,
    examples=[
        "evervec index build",
        'PGOPTIONS="-c maintenance_work_mem=2GB" evervec index build film',
    ],
)
@click.argument("sources", nargs=-1, metavar="[SOURCE]...")
@common_options
@pass_app
def build(app: App, sources: tuple[str, ...]) -> None:
    """Build the indexes of SOURCEs, or of all, that are missing or invalid.

    Concurrently: neither readers nor writers wait. After a kill, run it again: what is left of the
    former build is replaced, and a build that goes on without its program is waited for.
    """
    _build(app, sources, rebuild=False)


@index.command(cls=Command, examples=["evervec index rebuild film"])
@click.argument("sources", nargs=-1, required=True, metavar="SOURCE...")
@common_options
@pass_app
def rebuild(app: App, sources: tuple[str, ...]) -> None:
    """Build the vector index of SOURCEs anew; the former one serves meanwhile.

    After many updates and deletions, or after a version of pgvector that could damage it. Takes the
    room of both for a while. May be interrupted, and run again, as `evervec index build`.
    """
    _build(app, sources, rebuild=True)


def _build(app: App, sources: tuple[str, ...], *, rebuild: bool) -> None:
    logs.configure(app.config.log_format, "error")
    stop = threading.Event()
    done = []
    with app.database() as db, stopping_on_signals(stop):
        names = sources or tuple(dict.fromkeys(state.source for state in db.index_status()))
        for name in names:
            advice = _advise(db, name, rebuild=rebuild)
            for each in advice:
                app.say(f"{name}: {each.problem}\n  {each.remedy}")
            started = time.monotonic()
            built = _Build(app, db, name, rebuild=rebuild, stop=stop).run()
            seconds = time.monotonic() - started
            states = db.index_status(name)
            _tell(app, name, states, seconds if built else None)
            done.append(
                {
                    "source": name,
                    "built": built,
                    "seconds": round(seconds, 3),
                    "advice": [asdict(each) for each in advice],
                    "indexes": [asdict(state) for state in states],
                }
            )
    if app.as_json:
        app.print_json(done)


def _tell(app: App, source: str, states: Sequence[IndexState], seconds: float | None) -> None:
    for state in states:
        if state.state == "none":
            app.say(f"{source} wants no index of its {state.covers} (p_index => 'none').")
        elif state.bytes is not None:
            what = "stands" if seconds is None else f"was built in {clock(seconds)}"
            app.say(f"{source}: {state.index} ({size(state.bytes)}) {what}.")


class _Build:
    """A build in a thread of its own, shown while it goes on, here or elsewhere."""

    def __init__(
        self, app: App, db: Database, source: str, *, rebuild: bool, stop: threading.Event
    ) -> None:
        self._app = app
        self._db = db
        self._source = source
        self._rebuild = rebuild
        self._stop = stop
        self._error: Exception | None = None

    def run(self) -> bool:
        """Build until all stands; whether there was anything to do. Raises EvervecError."""
        anything = False
        with Progress(
            TextColumn("   {task.description}"),
            BarColumn(bar_width=30),
            TextColumn("{task.fields[note]}"),
            console=self._app.notes,
            disable=not self._app.notes.is_terminal,
            transient=True,
        ) as progress:
            while True:
                states = self._db.index_status(self._source)
                if any(state.state == "building" for state in states):
                    # By a worker, or by a program that was killed: the server goes on without it.
                    anything = True
                    self._follow(progress, lambda: self._is_building)
                    continue
                if not self._rebuild and self._db.index_statement(self._source) is None:
                    return anything
                anything = True
                builder = threading.Thread(target=self._work, name="evervec-index", daemon=True)
                builder.start()
                self._follow(progress, builder.is_alive)
                builder.join()
                if self._error is not None:
                    raise self._error
                self._rebuild = False

    @property
    def _is_building(self) -> bool:
        return any(state.state == "building" for state in self._db.index_status(self._source))

    def _work(self) -> None:
        try:
            built = indexes.build(self._db, self._source, rebuild=self._rebuild)
        except Exception as error:
            self._error = error
            return
        if not built:
            self._error = EvervecError(
                f"the index of {self._source} cannot be built by this role",
                detail="Only the owner of the table of the vectors may build it.",
                hint="Connect as the role that tracked the table.",
            )

    def _follow(self, progress: Progress, goes_on: Callable[[], bool]) -> None:
        """Show how far it is until it ends, or until we are told to stop."""
        task = progress.add_task(f"indexing {self._source}", total=1.0, note="")
        samples: deque[tuple[float, float]] = deque()
        while goes_on():
            if self._stop.is_set():
                self._db.cancel_index_statement()
                raise EvervecError(
                    f"stopped: the index of {self._source} is not built",
                    hint=f"Go on with: evervec index build {self._source}",
                )
            state = next(
                (s for s in self._db.index_status(self._source) if s.state == "building"), None
            )
            if state is not None:
                done = state.progress or 0.0
                samples.append((time.monotonic(), done))
                while samples[-1][0] - samples[0][0] > _RATE_SECONDS:
                    samples.popleft()
                note = f"{done:.0%} {state.phase or ''}{time_left(samples)}"
                progress.update(task, completed=done, note=note)
            self._stop.wait(_LOOK_SECONDS)
        progress.remove_task(task)


def time_left(samples: Sequence[tuple[float, float]]) -> str:
    """The time that is left at the rate of late; samples: seconds, and the share that was done."""
    (since, before), (now, done) = samples[0], samples[-1]
    if done <= before:
        return ""
    return f", {clock((1 - done) * (now - since) / (done - before))} left"


def _advise(db: Database, source: str, *, rebuild: bool) -> list[Advice]:
    """What to set before the index of the vectors is built, where it has to be."""
    states = [state for state in db.index_status(source) if state.covers == "vectors"]
    wanted = states[0].build_bytes
    if wanted is None or (not rebuild and all(state.state == "valid" for state in states)):
        return []
    settings = db.build_settings(db.get_source(source).target)
    advice = []
    memory = settings.memory
    if wanted > memory:
        # A little more, because the number of vectors is an estimate.
        memory = -(-wanted * 11 // 10 // _MB) * _MB
        what = (
            f"the graph of {source} takes about {size(wanted)} of memory, and maintenance_work_mem"
            f" is {size(settings.memory)}: beyond it the build is many times slower"
            if states[0].method == "hnsw"
            else f"the lists of {source} take about {size(wanted)} of memory to be found, and"
            f" maintenance_work_mem is {size(settings.memory)}: the build may fail"
        )
        set_to = f"{memory // _MB}MB"
        advice.append(
            Advice(
                f"{what}.",
                f"SET maintenance_work_mem = '{set_to}';"
                f' -- here: PGOPTIONS="-c maintenance_work_mem={set_to}"',
            )
        )
    if settings.workers and settings.shared and settings.here and _SHARED_MEMORY.exists():
        free = shutil.disk_usage(_SHARED_MEMORY).free
        if states[0].method == "hnsw" and free < memory:
            advice.append(
                Advice(
                    f"a parallel build takes {size(memory)} (maintenance_work_mem) from"
                    f" {_SHARED_MEMORY} at once, where {size(free)} is free: it would fail.",
                    "SET max_parallel_maintenance_workers = 0;"
                    ' -- here: PGOPTIONS="-c max_parallel_maintenance_workers=0",'
                    " or a larger shm_size of the container",
                )
            )
    return advice


def size(count: int) -> str:
    """Bytes as a person reads them."""
    amount = float(count)
    for unit in ("bytes", "kB", "MB"):
        if amount < 1024:
            return f"{amount:.0f} {unit}"
        amount /= 1024
    return f"{amount:.1f} GB"
