"""One batch, from the queue to the vectors: claim ▸ embed ▸ complete.

No transaction is open while a provider works: each step that touches the database is a short call
of its own, and the lease of the claim keeps the rows ours in between. Every claimed job leaves this
file in one of four ways: completed, failed with a class, released, or (the database is gone) with
its lease running out.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Final, TypeVar

from evervec import failpoints, logs
from evervec.db import DatabaseUnavailableError
from evervec.errors import EvervecError
from evervec.heartbeat import Heartbeat
from evervec.joblog import log_claim, log_jobs
from evervec.ledger import Ledger
from evervec.places import Places
from evervec.providers import ProviderError, estimated_tokens, room, unusable_rows
from evervec.records import Outcome, grouped
from evervec.texts import TROUBLE, distinct, jobs_of, requests

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from evervec.config import Config
    from evervec.db import Database
    from evervec.heartbeat import Lease
    from evervec.providers import Embeddings, Providers, Vectors
    from evervec.records import Claim, ClaimedJob, Model
    from evervec.texts import Text

# A transaction that writes vectors holds locks on the users' rows and has to stay under 50 ms. How
# many vectors that is depends on the index (20 with a standing HNSW, thousands without), so the
# size of a slice follows what the last one took.
SLICE_START: Final = 20
SLICE_LEAST: Final = 5
SLICE_MOST: Final = 200
SLICE_QUICK_SECONDS: Final = 0.015
SLICE_SLOW_SECONDS: Final = 0.040

# A job whose lease has expired so often in succession is leased alone (see evervec.due_jobs).
_SUSPECT_EXPIRIES: Final = 2

# Writers at a time in one process: more would wait for the same disk, and hold rows the while.
_WRITERS: Final = 2

# Beside the thread whose texts an offline model computes, one that claims and writes.
_OFFLINE_HELP: Final = 1

# A value that a column cannot hold, a constraint or a trigger of the user's: one row's own matter.
_DATA: Final = ("22", "23", "P0")

# Lock not available, query canceled, serialization failure, deadlock: another moment will do.
_TRANSIENT: Final = frozenset({"55P03", "57014", "40001", "40P01"})

# Each refused lock costs two seconds of waiting; after so many in one batch it is not about single
# rows, and the rest is left for later.
_MOST_REFUSALS: Final = 8

# Errors of these classes concern the whole service: the next request would meet the same one.
_STOPS_THE_MODEL: Final = frozenset({"rate_limit", "quota", "auth"})

# Of these, a person has to hear: waiting alone does not mend them.
_NEEDS_A_PERSON: Final = frozenset({"auth", "quota"})

# Errors of these classes are about the profile: where it is a tenant's, they say nothing about the
# model, nor about the rows.
_OF_THE_PROFILE: Final = frozenset({"rate_limit", "quota", "auth", "not_found"})

# After so many requests in a row that met trouble the rest of a batch waits: fresh work goes first.
_MOST_TROUBLES: Final = 2

# Outcomes that leave a paid vector unused, and how the log calls them.
_WASTED: Final = (
    ("lost", "result_discarded", logging.WARNING),
    ("locked", "row_locked", logging.INFO),
)

# How long results that are paid for wait for a database that went away (a restart takes seconds).
_PATIENCE_SECONDS: Final = 30.0

# How long a request waits for the limits of its model; then its rows go back, and no more of them
# are claimed until the limits allow it: other models have work, too.
_LIMIT_PATIENCE_SECONDS: Final = 2.0

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Batch:
    """What became of one batch. Counts are jobs; `tokens` is what the providers counted, or an
    estimate where they do not say.

    setup_error  the error of class auth or quota that stopped a model, or None
    """

    claimed: int = 0
    embedded: int = 0
    cached: int = 0
    unchanged: int = 0
    vanished: int = 0
    superseded: int = 0
    released: int = 0
    retrying: int = 0
    dead: int = 0
    lost: int = 0
    tokens: int = 0
    setup_error: ProviderError | None = None

    @property
    def settled(self) -> int:
        """Jobs that are out of the queue."""
        return self.embedded + self.cached + self.unchanged + self.vanished + self.dead


@dataclass(frozen=True, slots=True)
class _Result:
    """A vector of shape (dimensions,) and the job that it is for; note: see Text.

    vector  None: the database takes it from its cache
    """

    job: ClaimedJob
    vector: Vectors | None
    note: str | None


@dataclass(slots=True)
class _Hand:
    """The claim in hand: the jobs that still have to leave, and what became of the others."""

    lease: Lease
    open: dict[int, ClaimedJob]
    tally: Counter[str] = field(default_factory=Counter)
    ledger: Ledger = field(default_factory=Ledger)
    cached: int = 0
    tokens: int = 0
    refusals: int = 0
    troubles: int = 0
    embed_seconds: float = 0.0
    complete_seconds: float = 0.0
    setup_error: ProviderError | None = None

    def settle(self, outcomes: Iterable[Outcome]) -> None:
        for outcome in outcomes:
            job = self.open.pop(outcome.job_id, None)
            self.tally[outcome.outcome] += 1
            if job is not None:
                self.ledger.settled(job, outcome.outcome)


class Processor:
    """Processes batches. Several threads and processes may work on the same database.

    stop    once set, the request in hand is finished and the rest of its batch released
    tenant  whose provider profile asks the models. Where that is refused, the rows are released as
            they were, and the model is not paused: it serves others
    """

    def __init__(
        self,
        db: Database,
        providers: Providers,
        config: Config,
        stop: threading.Event | None = None,
        tenant: str | None = None,
    ) -> None:
        self._db = db
        self._tenant = tenant
        self._providers = providers
        self._config = config
        self._stop = stop or threading.Event()
        self._heartbeat = Heartbeat(config)
        self._slice = SLICE_START
        # Two claims at once would only wait for each other's rows.
        self._claiming = threading.Lock()
        self._places = Places(db, config.concurrency)
        # Threads that have what may be killing its workers: nobody else begins anything meanwhile,
        # or it would go down with them.
        self._suspects: set[int] = set()
        self._writing = threading.BoundedSemaphore(_WRITERS)

    def run_batch(
        self,
        sources: Sequence[str] | None = None,
        on_more: Callable[[int | None], None] | None = None,
        *,
        most: int | None = None,
        job_ids: Sequence[int] | None = None,
    ) -> Batch:
        """Process one batch; an empty Batch when there is nothing to do now.

        on_more  called when the claim was as large as it may be, so that there is probably more;
                 with the number of threads that may help, None when that is not for us to say
        most     jobs at most, where that is less than config.batch_size
        job_ids  limits the work to these rows; None: all

        Raises EvervecError when the database refuses (a privilege, a dropped table), of that kind
        DatabaseUnavailableError when it is gone; the jobs are then released, or free again when
        their lease ends.
        """
        try:
            return self._run_batch(sources, on_more, most, job_ids)
        finally:
            self._places.leave()
            self._suspects.discard(threading.get_ident())

    def _run_batch(
        self,
        sources: Sequence[str] | None,
        on_more: Callable[[int | None], None] | None,
        most: int | None,
        job_ids: Sequence[int] | None,
    ) -> Batch:
        limit = self._config.batch_size if most is None else min(most, self._config.batch_size)
        with self._claiming:
            if self._stop.is_set() or self._suspects:
                return Batch()
            allowed = self._places.allowed(sources)
            started = time.monotonic()
            claim = self._db.claim_jobs(
                limit, self._config.lease, self._config.worker_name, allowed, job_ids
            )
            claim_seconds = time.monotonic() - started
            if claim is None:
                return Batch()
            wanted = [job for job in claim.jobs if job.state == "embed"]
            if any(job.expiries >= _SUSPECT_EXPIRIES for job in wanted):
                self._suspects.add(threading.get_ident())
            cached = [job for job in claim.jobs if job.state == "cached"]
            if wanted:
                # Now, so that the next claim knows.
                self._places.take(wanted[0].model or "", wanted[0].source, sources)
        failpoints.hit("after_claim")
        log_claim(claim)

        with self._heartbeat.keeping(claim.lease_token, started) as lease:
            hand = _Hand(lease, {job.job_id: job for job in wanted + cached})
            try:
                self._complete_cached(hand, cached)
                for model_name, jobs in grouped(wanted, lambda job: job.model or ""):
                    if not self._places.take(model_name, jobs[0].source, sources):
                        continue  # they are released
                    model = self._db.get_model(model_name)
                    if on_more is not None and len(claim.jobs) >= self._config.batch_size:
                        on_more(_OFFLINE_HELP if self._providers.is_offline(model) else None)
                    self._embed_all(hand, model, jobs)
            finally:
                self._release(hand, list(hand.open.values()))
                # Whatever ended the batch, what it has cost counts.
                batch = _summary(claim, hand)
                self._report(claim, hand, batch, claim_seconds)
        return batch

    # -- embed -----------------------------------------------------------------------------------

    def _embed_all(self, hand: _Hand, model: Model, jobs: Sequence[ClaimedJob]) -> None:
        """Every job of one model, request by request, until done or the model is out of order."""
        hand.troubles = 0
        texts = self._fitting(hand, model, jobs)
        for number, request in enumerate(requests(model, texts)):
            if number > 0:
                # Another worker may have met a limit since; the model is the same for all of them.
                model = self._db.get_model(model.name)
            if model.paused:
                log_jobs("model_paused", jobs_of(request), model=model.name)
                return
            error = self._embed(hand, model, request)
            if error is None:
                continue
            if self._is_the_tenants(error):
                hand.setup_error = error
                return
            if error.error_class in _NEEDS_A_PERSON:
                hand.setup_error = error
            if error.error_class in _STOPS_THE_MODEL or hand.troubles >= _MOST_TROUBLES:
                return

    def _fitting(self, hand: _Hand, model: Model, jobs: Sequence[ClaimedJob]) -> Iterator[Text]:
        """Distinct texts, cut where the model would not read on, or given up, as their source says.

        A limit in tokens, estimated in characters: what it lets pass, the provider may refuse.
        """
        most = room(model)
        for text in distinct(jobs):
            if len(text.content) <= most:
                yield text
            elif text.may_be_cut:
                yield text.cut(most, model.input_limit)
            else:
                self._fail(hand, text.jobs, model, text.refused(model), 0.0)

    def _embed(self, hand: _Hand, model: Model, texts: Sequence[Text]) -> ProviderError | None:
        """One request and what follows from it; the error when it failed as a whole."""
        if not self._may_go_on(hand):
            return None
        call_id = None
        if model.limited:
            call_id = self._begin_call(hand, model, texts)
            if call_id is None:
                return ProviderError(
                    "rate_limit", f"the limits of model {model.name} allow no request now"
                )
        started = time.monotonic()
        try:
            answer = self._ask(model, texts, call_id)
        except ProviderError as error:
            seconds = time.monotonic() - started
            hand.embed_seconds += seconds
            hand.ledger.asked(texts, 0)
            if self._is_the_tenants(error):
                return error  # its rows are released
            if error.error_class == "bad_input":
                hand.troubles = 0
                return self._without_the_culprit(hand, model, texts, error, seconds)
            hand.troubles += error.error_class in TROUBLE
            self._fail(hand, jobs_of(texts), model, error, seconds)
            return error
        seconds = time.monotonic() - started
        hand.embed_seconds += seconds
        tokens = answer.tokens or self._uncounted(model, texts)
        hand.tokens += tokens
        hand.ledger.asked(texts, tokens)
        hand.troubles = 0

        unusable = unusable_rows(answer.vectors)
        for row, reason in unusable.items():
            refusal = ProviderError("invalid_response", reason)
            self._fail(hand, texts[row].jobs, model, refusal, seconds)
        self._complete(
            hand,
            [
                _Result(job, answer.vectors[row], text.note)
                for row, text in enumerate(texts)
                if row not in unusable
                for job in text.jobs
            ],
        )
        return None

    def _without_the_culprit(
        self,
        hand: _Hand,
        model: Model,
        texts: Sequence[Text],
        error: ProviderError,
        seconds: float,
    ) -> ProviderError | None:
        """After a refusal. One of the texts is poison: halve until it stands alone, and where it is
        its length, halve the text itself.
        """
        if len(texts) > 1:
            log_jobs("request_halved", jobs_of(texts), error_class="bad_input", model=model.name)
            middle = len(texts) // 2
            for half in (texts[:middle], texts[middle:]):
                failure = self._embed(hand, model, half)
                if failure is not None and failure.error_class != "bad_input":
                    return failure
            return None
        shorter = texts[0].halved() if error.too_long else None
        if shorter is not None:
            log_jobs("text_halved", shorter.jobs, error_class="bad_input", model=model.name)
            return self._embed(hand, model, [shorter])
        self._fail(hand, texts[0].jobs, model, error, seconds)
        return error

    def _is_the_tenants(self, error: ProviderError) -> bool:
        return self._tenant is not None and error.error_class in _OF_THE_PROFILE

    def _uncounted(self, model: Model, texts: Sequence[Text]) -> int:
        """Tokens of an answer that does not say: estimated, or a budget would never be spent."""
        return 0 if self._providers.is_offline(model) else self._estimated(model, texts)

    @staticmethod
    def _estimated(model: Model, texts: Sequence[Text]) -> int:
        return sum(min(estimated_tokens(text.content), model.input_limit) for text in texts)

    def _begin_call(self, hand: _Hand, model: Model, texts: Sequence[Text]) -> int | None:
        """Wait until the model's limits allow one more request; None when its time never came."""
        tokens = self._estimated(model, texts)
        timeout = timedelta(seconds=2 * self._config.request_timeout)
        give_up = time.monotonic() + _LIMIT_PATIENCE_SECONDS
        while True:
            call = self._db.begin_call(model.name, tokens, timeout)
            if call.call_id is not None:
                return call.call_id
            seconds = call.wait.total_seconds()
            if time.monotonic() + seconds > give_up:
                log_jobs(
                    "limit_reached", jobs_of(texts), model=model.name, seconds=round(seconds, 1)
                )
                return None
            if self._stop.wait(seconds) or not self._may_go_on(hand):
                return None

    def _ask(self, model: Model, texts: Sequence[Text], call_id: int | None) -> Embeddings:
        """One request, and that it has ended."""
        tokens = None
        try:
            paid_by = self._providers.model_of(self._tenant, model)
            answer = self._providers.embed(paid_by, [text.content for text in texts], "document")
            tokens = answer.tokens or None
        finally:
            if call_id is not None:
                self._end_call(call_id, tokens)
        return answer

    def _end_call(self, call_id: int, tokens: int | None) -> None:
        """Never raises: a call that nobody ends expires."""
        try:
            self._db.end_call(call_id, tokens)
        except EvervecError as error:
            logs.warning("end_call_failed", message=error.message)

    def _may_go_on(self, hand: _Hand) -> bool:
        """Whether the rows are still ours, and nobody has told us to stop."""
        hand.lease.progress()
        if self._stop.is_set():
            return False
        if hand.lease.overdue:
            # We were asleep, or the heartbeat finds no connection: ask before paying.
            hand.lease.extend(self._db, self._config)
        if hand.lease.lost and hand.open:
            jobs = list(hand.open.values())
            log_jobs("lease_lost", jobs, logging.WARNING, error_class="timeout")
            hand.settle(Outcome(job.job_id, "lost") for job in jobs)
        return not hand.lease.lost

    # -- complete --------------------------------------------------------------------------------

    def _complete_cached(self, hand: _Hand, jobs: Sequence[ClaimedJob]) -> None:
        """Jobs whose vector the database has already; what was forgotten since is claimed again."""
        if not jobs:
            return
        self._complete(hand, [_Result(job, None, None) for job in jobs])
        hand.cached, hand.tally["completed"] = hand.tally["completed"], 0
        hand.tally["released"] += hand.tally.pop("retry", 0)

    def _complete(self, hand: _Hand, results: Sequence[_Result]) -> None:
        """Store vectors in slices short enough that nobody waits for their locks."""
        failpoints.hit("before_complete")
        started = time.monotonic()
        position = 0
        while position < len(results):
            hand.lease.progress()
            with self._writing:
                piece = results[position : position + self._slice]
                position += len(piece)
                slice_started = time.monotonic()
                self._complete_slice(hand, piece)
                self._adapt(len(piece), time.monotonic() - slice_started)
        hand.complete_seconds += time.monotonic() - started
        failpoints.hit("after_complete")

    def _adapt(self, rows: int, seconds: float) -> None:
        if seconds > SLICE_SLOW_SECONDS:
            self._slice = max(SLICE_LEAST, rows // 2)
        elif seconds < SLICE_QUICK_SECONDS and rows == self._slice:
            self._slice = min(SLICE_MOST, rows * 2)

    def _complete_slice(self, hand: _Hand, results: Sequence[_Result]) -> None:
        jobs = [result.job for result in results]
        try:
            outcomes = self._patiently(lambda: self._store(hand, results))
        except DatabaseUnavailableError:
            raise
        except EvervecError as error:
            transient = error.sqlstate in _TRANSIENT
            hand.refusals += transient
            if not transient and not (error.sqlstate or "").startswith(_DATA):
                # Not the data's fault: a missing privilege, a dropped table. Its rows wait, at no
                # attempt, so that they are not paid for again at once and others have their turn.
                self._fail(hand, jobs, None, ProviderError("database", error.message), 0.0)
                raise
            if len(results) > 1 and hand.refusals <= _MOST_REFUSALS:
                # One of them: a row that somebody holds, a value that the column cannot hold.
                middle = len(results) // 2
                self._complete_slice(hand, results[:middle])
                self._complete_slice(hand, results[middle:])
            elif transient:
                log_jobs("complete_later", jobs, sqlstate=error.sqlstate)
                self._release(hand, jobs)
            else:
                message = f"the database refused it: {error.message}"
                self._fail(hand, jobs[:1], None, ProviderError("invalid_response", message), 0.0)
            return
        hand.settle(outcomes)
        for outcome, event, level in _WASTED:
            wasted = {found.job_id for found in outcomes if found.outcome == outcome}
            if wasted:
                those = [job for job in jobs if job.job_id in wasted]
                log_jobs(event, those, level, error_class="timeout" if outcome == "lost" else None)

    def _store(self, hand: _Hand, results: Sequence[_Result]) -> list[Outcome]:
        return self._db.complete_jobs(
            hand.lease.token,
            [result.job.job_id for result in results],
            [result.vector for result in results],
            [result.note for result in results],
        )

    def _patiently(self, call: Callable[[], T]) -> T:
        """Repeat a call while the database is away: what it reports is paid for.

        Calling it twice is harmless: what the first call settled, the second reports as lost.
        """
        give_up = time.monotonic() + _PATIENCE_SECONDS
        while True:
            try:
                return call()
            except DatabaseUnavailableError as error:
                if time.monotonic() > give_up or self._stop.wait(0.5):
                    raise
                logs.warning("database_gone", message=error.message)

    # -- fail, release ---------------------------------------------------------------------------

    def _fail(
        self,
        hand: _Hand,
        jobs: Sequence[ClaimedJob],
        model: Model | None,
        error: ProviderError,
        seconds: float,
    ) -> None:
        outcomes = self._patiently(
            lambda: self._db.fail_jobs(
                hand.lease.token,
                [job.job_id for job in jobs],
                error.error_class,
                error.message,
                error.status_code,
                error.retry_after,
            )
        )
        hand.settle(outcomes)
        dead = {outcome.job_id for outcome in outcomes if outcome.outcome == "dead"}
        lost = {outcome.job_id for outcome in outcomes if outcome.outcome == "lost"}
        for source, of_source in grouped(jobs, lambda job: job.source):
            # The message stays in the database: it may quote a text.
            log_jobs(
                "embed_failed",
                of_source,
                logging.WARNING,
                source=source,
                model=model.name if model else None,
                error_class=error.error_class,
                status_code=error.status_code,
                dead=sum(job.job_id in dead for job in of_source),
                lost=sum(job.job_id in lost for job in of_source) or None,
                seconds=round(seconds, 3),
            )

    def _release(self, hand: _Hand, jobs: Sequence[ClaimedJob]) -> None:
        """Give jobs back. Never raises: where it fails, the lease runs out and does the same."""
        if not jobs:
            return
        job_ids = [job.job_id for job in jobs]
        try:
            hand.tally["released"] += self._db.release_jobs(hand.lease.token, job_ids)
        except EvervecError as error:
            log_jobs("release_failed", jobs, logging.WARNING, message=error.message)
        for job_id in job_ids:
            hand.open.pop(job_id, None)

    # -- report ----------------------------------------------------------------------------------

    def _report(self, claim: Claim, hand: _Hand, batch: Batch, claim_seconds: float) -> None:
        """The batch in the service's log and in the database's; the latter is no reason to fail."""
        claim_ms, embed_ms, complete_ms = (
            round(seconds * 1000, 1)
            for seconds in (claim_seconds, hand.embed_seconds, hand.complete_seconds)
        )
        log_jobs(
            "batch",
            claim.jobs,
            logging.DEBUG,
            claimed=batch.claimed,
            embedded=batch.embedded,
            cached=batch.cached,
            failed=batch.retrying + batch.dead,
            tokens=batch.tokens,
            claim_ms=claim_ms,
            embed_ms=embed_ms,
            complete_ms=complete_ms,
        )
        try:
            self._db.log_batch(
                worker=self._config.worker_name,
                counts=hand.ledger.counts(claim.jobs),
                claim_ms=claim_ms,
                embed_ms=embed_ms,
                complete_ms=complete_ms,
            )
        except EvervecError as error:
            logs.warning("log_batch_failed", message=error.message)


def _summary(claim: Claim, hand: _Hand) -> Batch:
    settled = Counter(job.state for job in claim.jobs)
    tally = hand.tally
    return Batch(
        claimed=len(claim.jobs),
        embedded=tally["completed"],
        cached=hand.cached,
        unchanged=settled["unchanged"],
        vanished=settled["gone"] + settled["empty"] + tally["gone"],
        superseded=tally["superseded"],
        released=tally["released"] + tally["locked"],
        retrying=tally["retry"] + settled["failed"],
        dead=tally["dead"],
        lost=tally["lost"],
        tokens=hand.tokens,
        setup_error=hand.setup_error,
    )
