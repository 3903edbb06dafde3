"""One batch, from the queue to the vectors: claim ▸ embed ▸ complete.

No transaction is open while a provider works: each step that touches the database is a short call
of its own, and the lease of the claim keeps the rows ours in between. Every claimed job leaves this
file in one of four ways: completed, failed with a class, released, or (the database is gone) with
its lease running out.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from evervec import logs
from evervec.db import DatabaseUnavailableError
from evervec.errors import EvervecError
from evervec.providers import ProviderError, estimated_tokens, unusable_rows

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from uuid import UUID

    from evervec.config import Config
    from evervec.db import Database
    from evervec.providers import Providers, Vectors
    from evervec.records import Claim, ClaimedJob, Model, Outcome

# A transaction that writes vectors holds locks on the users' rows and has to stay under 50 ms. How
# many vectors that is depends on the index (20 with a standing HNSW, thousands without), so the
# size of a slice follows what the last one took.
SLICE_START: Final = 20
SLICE_LEAST: Final = 5
SLICE_MOST: Final = 200
SLICE_QUICK_SECONDS: Final = 0.015
SLICE_SLOW_SECONDS: Final = 0.040

# A value that a column cannot hold, a constraint or a trigger of the user's: one row's own matter.
_DATA: Final = ("22", "23", "P0")

# Lock not available, query canceled, serialization failure, deadlock: another moment will do.
_TRANSIENT: Final = frozenset({"55P03", "57014", "40001", "40P01"})

# Each refused lock costs two seconds of waiting; after so many in one batch it is not about single
# rows, and the rest is left for later.
_MOST_REFUSALS: Final = 8

# Errors of these classes concern the whole service: the next request would meet the same one.
_STOPS_THE_MODEL: Final = frozenset({"rate_limit", "quota", "auth"})

# How long vectors that are paid for wait for a database that went away (a restart takes seconds).
_PATIENCE_SECONDS: Final = 30.0


@dataclass(frozen=True, slots=True)
class Batch:
    """What became of one batch. Counts are jobs; `tokens` is what the providers counted.

    setup_error  the error of class auth that stopped a model, or None
    """

    claimed: int = 0
    embedded: int = 0
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
        return self.embedded + self.unchanged + self.vanished + self.dead


@dataclass(slots=True)
class _Hand:
    """The claim in hand: the jobs that still have to leave, and what became of the others."""

    token: UUID
    claimed_at: float
    open: dict[int, ClaimedJob]
    tally: Counter[str] = field(default_factory=Counter)
    tokens: int = 0
    refusals: int = 0
    embed_seconds: float = 0.0
    complete_seconds: float = 0.0
    setup_error: ProviderError | None = None

    def settle(self, outcomes: Iterable[Outcome]) -> None:
        for outcome in outcomes:
            self.open.pop(outcome.job_id, None)
            self.tally[outcome.outcome] += 1


@dataclass(frozen=True, slots=True)
class _Text:
    """A text and the jobs that share it: the same text is paid for once a batch."""

    content: str
    jobs: tuple[ClaimedJob, ...]


class Processor:
    """Processes batches. One thread at a time; several processes may work on the same database.

    stop  once set, the request in hand is finished and the rest of its batch released
    """

    def __init__(
        self,
        db: Database,
        providers: Providers,
        config: Config,
        stop: threading.Event | None = None,
    ) -> None:
        self._db = db
        self._providers = providers
        self._config = config
        self._stop = stop or threading.Event()
        self._slice = SLICE_START

    def run_batch(self, sources: Sequence[str] | None = None) -> Batch:
        """Process one batch; an empty Batch when there is nothing to do now.

        Raises EvervecError when the database refuses (a privilege, a dropped table), of that kind
        DatabaseUnavailableError when it is gone; the jobs are then released, or free again when
        their lease ends.
        """
        started = time.monotonic()
        claim = self._db.claim_jobs(
            self._config.batch_size, self._config.lease, self._config.worker_name, sources
        )
        if claim is None:
            return Batch()
        claim_seconds = time.monotonic() - started

        wanted = [job for job in claim.jobs if job.state == "embed"]
        hand = _Hand(claim.lease_token, started, {job.job_id: job for job in wanted})
        try:
            for model_name, jobs in _by_model(wanted):
                self._embed_all(hand, self._db.get_model(model_name), jobs)
        finally:
            self._release(hand, list(hand.open))

        batch = _summary(claim, hand)
        self._log(claim, hand, batch, claim_seconds)
        return batch

    # -- embed -----------------------------------------------------------------------------------

    def _embed_all(self, hand: _Hand, model: Model, jobs: Sequence[ClaimedJob]) -> None:
        """Every job of one model, request by request, until done or the model is out of order."""
        for texts in _requests(model, jobs):
            if self._stop.is_set():
                return
            error = self._embed(hand, model, texts)
            if error is not None and error.error_class in _STOPS_THE_MODEL:
                if error.error_class == "auth":
                    hand.setup_error = error
                return

    def _embed(self, hand: _Hand, model: Model, texts: Sequence[_Text]) -> ProviderError | None:
        """One request and what follows from it; the error when it failed as a whole."""
        self._keep_lease(hand)
        started = time.monotonic()
        try:
            answer = self._providers.embed(model, [text.content for text in texts], "document")
        except ProviderError as error:
            hand.embed_seconds += time.monotonic() - started
            if error.error_class == "bad_input" and len(texts) > 1:
                # One of them is poison: halve until it stands alone, the others succeed.
                middle = len(texts) // 2
                for half in (texts[:middle], texts[middle:]):
                    failure = self._embed(hand, model, half)
                    if failure is not None and failure.error_class != "bad_input":
                        return failure
                return None
            self._fail(hand, _jobs(texts), model, error)
            return error
        hand.embed_seconds += time.monotonic() - started
        hand.tokens += answer.tokens

        unusable = unusable_rows(answer.vectors)
        for row, reason in unusable.items():
            self._fail(hand, texts[row].jobs, model, ProviderError("invalid_response", reason))
        self._complete(
            hand,
            [
                (job, answer.vectors[row])
                for row, text in enumerate(texts)
                if row not in unusable
                for job in text.jobs
            ],
        )
        return None

    def _keep_lease(self, hand: _Hand) -> None:
        """Extend the lease when less than half of it is left, so that no request outlives it."""
        if time.monotonic() - hand.claimed_at > self._config.lease_seconds / 2:
            self._db.extend_lease(hand.token, self._config.lease)
            hand.claimed_at = time.monotonic()

    # -- complete --------------------------------------------------------------------------------

    def _complete(self, hand: _Hand, results: Sequence[tuple[ClaimedJob, Vectors]]) -> None:
        """Store vectors in slices short enough that nobody waits for their locks."""
        started = time.monotonic()
        position = 0
        while position < len(results):
            piece = results[position : position + self._slice]
            position += len(piece)
            slice_started = time.monotonic()
            self._complete_slice(hand, piece)
            self._adapt(len(piece), time.monotonic() - slice_started)
        hand.complete_seconds += time.monotonic() - started

    def _adapt(self, rows: int, seconds: float) -> None:
        if seconds > SLICE_SLOW_SECONDS:
            self._slice = max(SLICE_LEAST, rows // 2)
        elif seconds < SLICE_QUICK_SECONDS and rows == self._slice:
            self._slice = min(SLICE_MOST, rows * 2)

    def _complete_slice(self, hand: _Hand, results: Sequence[tuple[ClaimedJob, Vectors]]) -> None:
        job_ids = [job.job_id for job, _ in results]
        try:
            hand.settle(self._stored(hand, job_ids, [vector for _, vector in results]))
        except DatabaseUnavailableError:
            raise
        except EvervecError as error:
            transient = error.sqlstate in _TRANSIENT
            hand.refusals += transient
            if not transient and not (error.sqlstate or "").startswith(_DATA):
                # Not the data's fault: a missing privilege, a dropped table. Its rows wait, at no
                # attempt, so that they are not paid for again at once and others have their turn.
                self._fail(
                    hand, [job for job, _ in results], None, ProviderError("auth", error.message)
                )
                raise
            if len(results) > 1 and hand.refusals <= _MOST_REFUSALS:
                # One of them: a row that somebody holds, a value that the column cannot hold.
                middle = len(results) // 2
                self._complete_slice(hand, results[:middle])
                self._complete_slice(hand, results[middle:])
            elif transient:
                logs.info("complete_later", jobs=len(job_ids), sqlstate=error.sqlstate)
                self._release(hand, job_ids)
            else:
                self._fail(
                    hand,
                    [results[0][0]],
                    None,
                    ProviderError("invalid_response", f"the database refused it: {error.message}"),
                )

    def _stored(
        self, hand: _Hand, job_ids: Sequence[int], vectors: Sequence[Vectors]
    ) -> list[Outcome]:
        """complete_jobs, repeated while the database is away: the vectors are paid for.

        Calling it twice is harmless: what the first call stored, the second reports as lost.
        """
        give_up = time.monotonic() + min(_PATIENCE_SECONDS, self._config.lease_seconds / 2)
        while True:
            try:
                return self._db.complete_jobs(hand.token, job_ids, vectors)
            except DatabaseUnavailableError as error:
                if time.monotonic() > give_up or self._stop.wait(0.5):
                    raise
                logs.warning("database_gone", message=error.message)

    # -- fail, release ---------------------------------------------------------------------------

    def _fail(
        self, hand: _Hand, jobs: Sequence[ClaimedJob], model: Model | None, error: ProviderError
    ) -> None:
        outcomes = self._db.fail_jobs(
            hand.token,
            [job.job_id for job in jobs],
            error.error_class,
            error.message,
            error.status_code,
            error.retry_after,
        )
        hand.settle(outcomes)
        # The message stays in the database: it may quote a text.
        logs.warning(
            "embed_failed",
            model=model.name if model else None,
            error_class=error.error_class,
            status_code=error.status_code,
            jobs=len(jobs),
            dead=sum(outcome.outcome == "dead" for outcome in outcomes),
        )

    def _release(self, hand: _Hand, job_ids: Sequence[int]) -> None:
        """Give jobs back. Never raises: where it fails, the lease runs out and does the same."""
        if not job_ids:
            return
        try:
            hand.tally["released"] += self._db.release_jobs(hand.token, job_ids)
        except EvervecError as error:
            logs.warning("release_failed", jobs=len(job_ids), message=error.message)
        for job_id in job_ids:
            hand.open.pop(job_id, None)

    # -- report ----------------------------------------------------------------------------------

    def _log(self, claim: Claim, hand: _Hand, batch: Batch, claim_seconds: float) -> None:
        """The batch in the service's log and in the database's; the latter is no reason to"
        " fail.
        """
        claim_ms, embed_ms, complete_ms = (
            round(seconds * 1000, 1)
            for seconds in (claim_seconds, hand.embed_seconds, hand.complete_seconds)
        )
        source = _only({job.source for job in claim.jobs})
        model = _only({job.model for job in claim.jobs if job.model is not None})
        failed = batch.retrying + batch.dead
        logs.debug(
            "batch",
            source=source,
            claimed=batch.claimed,
            embedded=batch.embedded,
            failed=failed,
            tokens=batch.tokens,
            claim_ms=claim_ms,
            embed_ms=embed_ms,
            complete_ms=complete_ms,
        )
        try:
            self._db.log_batch(
                worker=self._config.worker_name,
                source=source,
                model=model,
                claimed=batch.claimed,
                embedded=batch.embedded,
                unchanged=batch.unchanged,
                failed=failed,
                tokens=batch.tokens,
                claim_ms=claim_ms,
                embed_ms=embed_ms,
                complete_ms=complete_ms,
            )
        except EvervecError as error:
            logs.warning("log_batch_failed", message=error.message)


def _by_model(jobs: Iterable[ClaimedJob]) -> Iterator[tuple[str, list[ClaimedJob]]]:
    groups: dict[str, list[ClaimedJob]] = {}
    for job in jobs:
        groups.setdefault(job.model or "", []).append(job)
    yield from groups.items()


def _requests(model: Model, jobs: Iterable[ClaimedJob]) -> Iterator[list[_Text]]:
    """Distinct texts, cut into requests within the model's limits of texts and tokens."""
    sharing: dict[bytes | None, list[ClaimedJob]] = {}
    for job in jobs:
        sharing.setdefault(job.content_hash, []).append(job)
    request: list[_Text] = []
    tokens = 0
    for same in sharing.values():
        text = _Text(same[0].content or "", tuple(same))
        more = min(estimated_tokens(text.content), model.input_limit)
        if request and (len(request) >= model.batch_texts or tokens + more > model.batch_tokens):
            yield request
            request, tokens = [], 0
        request.append(text)
        tokens += more
    if request:
        yield request


def _jobs(texts: Iterable[_Text]) -> list[ClaimedJob]:
    return [job for text in texts for job in text.jobs]


def _only(names: set[str]) -> str | None:
    """The name that they all share, or None: the batch log has one column for it."""
    return next(iter(names)) if len(names) == 1 else None


def _summary(claim: Claim, hand: _Hand) -> Batch:
    settled = Counter(job.state for job in claim.jobs)
    tally = hand.tally
    return Batch(
        claimed=len(claim.jobs),
        embedded=tally["completed"],
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
