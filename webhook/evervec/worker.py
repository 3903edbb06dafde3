"""The worker: batch after batch, at rest while there is nothing to do, and gone when told to."""

from __future__ import annotations

import signal
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from evervec import index, logs, upkeep
from evervec.crew import Crew
from evervec.db import DatabaseUnavailableError
from evervec.errors import EvervecError
from evervec.index import IndexBuilder
from evervec.processor import Batch, Processor
from evervec.providers import ProviderError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from types import FrameType

    from evervec.config import Config
    from evervec.db import Database
    from evervec.providers import Providers

# A look at an empty queue costs a millisecond or two: the first one after work comes soon, the
# later ones back off to poll_seconds.
_FIRST_PAUSE_SECONDS: Final = 0.02

# How often to ask whether upkeep is due: a millisecond each, and never urgent.
_UPKEEP_SECONDS: Final = 5.0

# What its budget leaves of a source waits for midnight.
_SPENT: Final = "budget spent"

# States of a source that nobody works on until a person, or a new day, says so.
_AT_REST: Final = ("paused", "suspended", _SPENT)

# How often to look whether an index has become due.
_INDEX_SECONDS: Final = 5.0


@dataclass(slots=True)
class Summary:
    """What one run of a worker did. Counts are jobs.

    lost  results that came too late: the lease was somebody else's by then
    """

    batches: int = 0
    claimed: int = 0
    embedded: int = 0
    cached: int = 0
    unchanged: int = 0
    vanished: int = 0
    superseded: int = 0
    released: int = 0
    retried: int = 0
    dead: int = 0
    lost: int = 0
    tokens: int = 0

    def add(self, batch: Batch) -> None:
        """Count a batch in."""
        self.batches += 1
        self.claimed += batch.claimed
        self.embedded += batch.embedded
        self.cached += batch.cached
        self.unchanged += batch.unchanged
        self.vanished += batch.vanished
        self.superseded += batch.superseded
        self.released += batch.released
        self.retried += batch.retrying
        self.dead += batch.dead
        self.lost += batch.lost
        self.tokens += batch.tokens

    def report(self, seconds: float) -> dict[str, int | float]:
        """The run as its last line of the log has it, and --json.

        records is all that was claimed; of it, generated cost a call, cached did not, errors were
        failed attempts (retried or dead).
        """
        return {
            "records": self.claimed,
            "generated": self.embedded,
            "cached": self.cached,
            "unchanged": self.unchanged,
            "errors": self.retried + self.dead,
            "seconds": round(seconds, 3),
            "vanished": self.vanished,
            "superseded": self.superseded,
            "released": self.released,
            "retried": self.retried,
            "dead": self.dead,
            "lost": self.lost,
            "batches": self.batches,
            "tokens": self.tokens,
        }


class Worker:
    """Processes batches until told to stop (`run`), until nothing is left (`drain`), until nothing
    is due (`catch_up`), or once.

    Up to config.concurrency of them at a time: while a provider works on one, another is claimed
    and a third one written.

    sources  limits the work to these; None works for all
    job_ids  limits it to these rows
    tenant   whose provider profile asks the models; None: the models' own
    stop     ends the run after the request in hand; set by the signals of `stopping_on_signals`
    on_batch called after each batch, for progress
    on_index called with the source's name before a drain builds its index
    """

    def __init__(
        self,
        db: Database,
        providers: Providers,
        config: Config,
        *,
        sources: Sequence[str] | None = None,
        job_ids: Sequence[int] | None = None,
        tenant: str | None = None,
        stop: threading.Event | None = None,
        on_batch: Callable[[Batch], None] | None = None,
        on_index: Callable[[str], None] | None = None,
    ) -> None:
        self._db = db
        self._config = config
        self._sources = sources
        self._job_ids = job_ids
        self._stop = stop or threading.Event()
        self._on_batch = on_batch
        self._on_index = on_index
        self._tenant = tenant
        self._processor = Processor(db, providers, config, self._stop, tenant)
        self._providers = providers
        self._crew = Crew(self._batch, config.concurrency - 1, self._stop)
        self._counting = threading.Lock()
        self._setup_error: ProviderError | None = None
        self._next_tick = self._next_upkeep = self._next_index = 0.0
        self._at_work = False
        self.summary = Summary()

    # -- the four ways to work -------------------------------------------------------------------

    def run(self) -> Summary:
        """Work until told to stop. A database that goes away is waited for."""
        builder = IndexBuilder(self._db)
        over = threading.Event()
        look_out = threading.Thread(
            target=self._look_out, args=(over,), name="evervec-look-out", daemon=True
        )
        look_out.start()
        try:
            self._go_on(builder)
        finally:
            over.set()
            self._crew.dismiss()
            try:
                builder.stop()
            finally:
                self._crew.join()
        return self.summary

    def _go_on(self, builder: IndexBuilder) -> None:
        pause = _FIRST_PAUSE_SECONDS
        down = False
        while not self._stop.is_set():
            try:
                if down:
                    self._db.reopen()
                    logs.info("database_back")
                    down = False
                self._crew.check()
                self._at_work = True
                claimed = self._batch().claimed
                # Also where there is always work: else nothing would be tidied, no index built.
                self._maintain_when_due()
                self._build_when_due(builder)
                if claimed:
                    pause = _FIRST_PAUSE_SECONDS
                    continue
            except DatabaseUnavailableError as error:
                if not down:
                    logs.warning("database_gone", message=error.message)
                down = True
            except EvervecError as error:
                # Something a person has to mend (a privilege, a dropped table): say so, keep on.
                logs.error("batch_failed", message=error.message, sqlstate=error.sqlstate)
                pause = self._config.poll_seconds
            finally:
                self._at_work = False
            self._stop.wait(pause)
            pause = min(pause * 2, self._config.poll_seconds)

    def _look_out(self, over: threading.Event) -> None:
        """Whoever waits for a provider sees nothing else: let another look what there is to do."""
        while not over.wait(self._config.poll_seconds):
            if self._at_work:
                self._crew.call()

    def prepare(self) -> None:
        """Load what the models need, before `run`: the first change should not wait for it."""
        try:
            models = [
                self._db.get_model(name) for name in {source.model for source in self._db.status()}
            ]
        except EvervecError as error:
            # The first batch meets it again, and deals with it; so below.
            logs.info("not_prepared", reason=type(error).__name__)
            return
        for model in models:
            try:
                self._providers.prepare(model)
            except (EvervecError, ProviderError) as error:
                logs.info("not_prepared", model=model.name, reason=type(error).__name__)

    def drain(self) -> Summary:
        """Work until log, queue and backfills are empty, retries included; then build indexes.

        Raises EvervecError when something stands in the way that waiting does not mend: no key, no
        privilege, no database, no budget. What was not done is then still queued.
        """
        pause = _FIRST_PAUSE_SECONDS
        with self._crew.joined():
            while not self._stop.is_set():
                batch = self._batch()
                self._crew.check()
                self._stop_at_setup_error()
                if batch.claimed:
                    pause = _FIRST_PAUSE_SECONDS
                    continue
                if self._left() == 0:
                    break
                # What is left waits for its retry, or for another worker: free what that one lost.
                self._tick_when_due()
                self._stop.wait(pause)
                pause = min(pause * 2, self._config.poll_seconds)
        if not self._stop.is_set():
            upkeep.run(self._db)
            self._build_indexes()
            self._check_budgets()
        return self.summary

    def catch_up(self, most: int | None = None) -> Summary:
        """Work until nothing is due, or `most` jobs were claimed; what waits for a retry is left.

        Raises EvervecError as drain does, where it is about a provider when all else is done.
        """
        with self._crew.joined():
            while not self._stop.is_set() and self._batch(most).claimed:
                self._crew.check()
                if most is not None and self.summary.claimed >= most:
                    break
                # Of a tenant's profile: what it cannot do is released, and would be claimed again.
                if self._tenant is not None and self._setup_error is not None:
                    break
        upkeep.run(self._db)
        if self._setup_error is not None:
            raise self._setup_error
        return self.summary

    def once(self) -> Summary:
        """Process one batch, or nothing."""
        self._batch(self._config.batch_size)
        self._stop_at_setup_error()
        upkeep.run(self._db)
        return self.summary

    # -- pieces ----------------------------------------------------------------------------------

    def _batch(self, most: int | None = None) -> Batch:
        """One batch; where only `most` jobs are to be done in all, nobody is called to help."""
        batch = self._processor.run_batch(
            self._sources,
            self._crew.call if most is None else None,
            most=None if most is None else most - self.summary.claimed,
            job_ids=self._job_ids,
        )
        if not batch.claimed:
            return batch
        with self._counting:
            self.summary.add(batch)
            if batch.setup_error is not None:
                self._setup_error = batch.setup_error
                logs.error(
                    "provider_unusable",
                    message=batch.setup_error.message,
                    status_code=batch.setup_error.status_code,
                )
            if self._on_batch is not None:
                self._on_batch(batch)
        return batch

    def _stop_at_setup_error(self) -> None:
        if self._setup_error is not None:
            raise self._cannot_go_on(self._setup_error)

    def _left(self) -> int:
        """Rows still to be done, but for those that wait until a person says so."""
        return sum(
            self._db.pending(status.source).total
            for status in self._db.status()
            if status.state not in _AT_REST
            and (self._sources is None or status.source in self._sources)
            and not self._db.get_model(status.model).is_stopped
        )

    def _check_budgets(self) -> None:
        """Raise EvervecError where rows wait for a new day's budget: all is not done."""
        waiting = {
            status.source: left
            for status in self._db.status()
            if status.state == _SPENT
            and (self._sources is None or status.source in self._sources)
            and (left := self._db.pending(status.source).total)
        }
        if waiting:
            raise EvervecError(
                f"the day's budget is spent: about {sum(waiting.values()):,} rows of"
                f" {', '.join(waiting)} wait for midnight UTC",
                detail="They are still queued; none is lost.",
                hint="evervec budget list shows what is spent, evervec budget set allows more.",
            )

    def _cannot_go_on(self, error: EvervecError) -> EvervecError:
        return EvervecError(
            error.message,
            detail=f"{self._left()} rows are still queued; none is lost.",
            hint=error.hint
            or "Mend the provider's settings; evervec.resume_model() ends the pause of its model.",
        )

    def _tick_when_due(self) -> None:
        if time.monotonic() < self._next_tick:
            return
        self._next_tick = time.monotonic() + self._config.poll_seconds
        ticked = self._db.tick()
        if ticked.reclaimed:
            logs.info("leases_expired", jobs=ticked.reclaimed)

    def _maintain_when_due(self) -> None:
        if time.monotonic() >= self._next_upkeep:
            self._next_upkeep = time.monotonic() + _UPKEEP_SECONDS
            upkeep.run(self._db)

    def _build_when_due(self, builder: IndexBuilder) -> None:
        if time.monotonic() >= self._next_index:
            self._next_index = time.monotonic() + _INDEX_SECONDS
            builder.start_due()

    def _build_indexes(self) -> None:
        for source in self._db.due_indexes(self._sources):
            if self._on_index is not None:
                self._on_index(source)
            index.build(self._db, source)


@contextmanager
def stopping_on_signals(stop: threading.Event) -> Iterator[None]:
    """SIGTERM and SIGINT set `stop`; a second one ends the process as it would have
    without us.
    """
    former: dict[signal.Signals, object] = {}

    def handle(number: int, _frame: FrameType | None) -> None:
        logs.info("stopping", signal=signal.Signals(number).name)
        stop.set()
        for name in former:
            signal.signal(name, signal.SIG_DFL)

    for name in (signal.SIGTERM, signal.SIGINT):
        former[name] = signal.signal(name, handle)
    try:
        yield
    finally:
        for name, handler in former.items():
            signal.signal(name, handler)  # type: ignore[arg-type]
