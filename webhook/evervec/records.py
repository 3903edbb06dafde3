"""What the functions of the database answer, as frozen dataclasses: no behaviour beyond reading."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Model:
    """An embedding model as registered with evervec.add_model.

    dimensions    length of its vectors
    input_limit   tokens it reads of one text
    request       further fields of the request's body
    batch_texts   texts in one request at most; batch_tokens the same for the sum of their tokens
    paused_until  no requests before that time, or None; paused: whether that is so now
    limited       every request needs Database.begin_call, and end_call when it has ended
    """

    name: str
    provider: str
    provider_model: str
    dimensions: int
    input_limit: int = 8191
    document_prefix: str = ""
    query_prefix: str = ""
    request: dict[str, Any] = field(default_factory=dict)
    batch_texts: int = 100
    batch_tokens: int = 100_000
    paused_until: datetime | None = field(default=None, compare=False)
    paused: bool = field(default=False, compare=False)
    limited: bool = field(default=False, compare=False)

    @property
    def is_stopped(self) -> bool:
        """Whether it is paused without an end, which only a person does."""
        return self.paused and self.paused_until is None


@dataclass(frozen=True, slots=True)
class Call:
    """What evervec.begin_call answers: go on under call_id, or (None) ask again after wait."""

    call_id: int | None
    wait: timedelta


@dataclass(frozen=True, slots=True)
class Source:
    """A tracked table."""

    name: str
    relation: str
    model: str
    target: str
    distance: str
    key_columns: list[str]
    state: str


@dataclass(frozen=True, slots=True)
class SourceStatus:
    """One line of the view evervec.status.

    vectors      an estimate; None when the embedding table does not exist
    archived     an estimate too, as of the last ANALYZE
    index_state  "none" (not wanted), "not built", "building", "invalid" or "valid"
    backfill     whether a pass over all rows is under way
    index_progress  0 to 0.99 of a build under way, where the role may see it
    """

    source: str
    relation: str
    model: str
    state: str
    pending: int
    processing: int
    retrying: int
    dead: int
    vectors: int | None
    index_state: str
    backfill: bool
    index_progress: float | None
    archived: int


@dataclass(frozen=True, slots=True)
class QueueHealth:
    """One line of the view evervec.queue_health.

    backfill       rows that a pass under way has not looked at, rows, vectors, archived: estimates
    rows_a_minute  settled in the last five minutes by all workers, or None
    claim_ms, embed_ms, complete_ms  milliseconds a row, the mean of these minutes
    oldest         since when the oldest change or job waits
    eta            until all is done at that rate; None when nobody works
    """

    source: str
    model: str
    state: str
    pending: int
    processing: int
    retrying: int
    dead: int
    backfill: int
    rows: int | None
    vectors: int | None
    rows_a_minute: float | None
    claim_ms: float | None
    embed_ms: float | None
    complete_ms: float | None
    oldest: datetime | None
    eta: timedelta | None
    archived: int

    @property
    def estimated_coverage(self) -> Coverage:
        """How much is embedded, as far as the planner knows; nothing is read for it."""
        total = self.rows or 0
        archived = min(self.archived, total)
        embedded = min(self.vectors or 0, total - archived)
        percent = math.floor(1000 * (embedded + archived) / total) / 10 if total else 100.0
        missing = total - embedded - archived
        return Coverage(self.source, total, embedded, archived, missing, percent)


@dataclass(frozen=True, slots=True)
class Coverage:
    """How much of a source is embedded, counted from the table itself."""

    source: str
    total: int
    embedded: int
    archived: int
    missing: int
    percent: float


@dataclass(frozen=True, slots=True)
class Pending:
    """Work not yet done: changes not folded, jobs, rows that a backfill has not looked at
    (estimate).
    """

    log: int
    queued: int
    processing: int
    retrying: int
    backfill: int

    @property
    def total(self) -> int:
        """Everything that is left; 0 when every vector belongs to its row's text."""
        return self.log + self.queued + self.processing + self.retrying + self.backfill


@dataclass(frozen=True, slots=True)
class Slice:
    """One slice of a reconciling pass: rows looked at, and what was wrong among them.

    missing   rows with a text and no vector
    stale     vectors of another text or model
    orphaned  vectors without a row
    """

    examined: int
    missing: int
    stale: int
    orphaned: int

    def __add__(self, other: Slice) -> Slice:
        return Slice(
            self.examined + other.examined,
            self.missing + other.missing,
            self.stale + other.stale,
            self.orphaned + other.orphaned,
        )


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that doctor found.

    source    None when it concerns the whole database
    severity  "error", "advice" or "info"
    problem   a sentence
    remedy    the statement that mends it
    """

    source: str | None
    finding: str
    severity: str
    problem: str
    remedy: str


@dataclass(frozen=True, slots=True)
class IndexState:
    """An index of a source, or one that it should have.

    covers       "vectors", "words" or "texts"
    index        None where there is none
    state        "valid", "building", "invalid", "former", "missing" or "none"
    progress     of building: 0 to 0.99, None where it may not be seen
    effort       what tune has stored
    build_bytes  maintenance_work_mem with which a build is fast; None where none is wanted
    """

    source: str
    covers: str
    index: str | None
    state: str
    progress: float | None
    phase: str | None
    method: str
    precision: str | None
    options: list[str] | None
    bytes: int | None
    rows: int | None
    effort: int | None
    build_bytes: int | None


@dataclass(frozen=True, slots=True)
class BuildSettings:
    """What a connection that builds an index has to do it with.

    memory   maintenance_work_mem, in bytes
    workers  whether others may help, so that the memory is taken from shared memory at once
    shared   whether that is a file below /dev/shm
    here     whether the server runs on this machine, as far as can be told
    """

    memory: int
    workers: bool
    shared: bool
    here: bool


@dataclass(frozen=True, slots=True)
class Recall:
    """What searches of a source find of what they should, and how long they take.

    effort   hnsw.ef_search or ivfflat.probes; None where searches ask no index
    recall   0 to 1; None where there is nothing to be found
    *_ms     milliseconds, at the median and the 95th percentile; exact_: of exact search
    """

    effort: int | None
    samples: int
    recall: float | None
    p50_ms: float | None
    p95_ms: float | None
    exact_p50_ms: float | None
    exact_p95_ms: float | None


@dataclass(frozen=True, slots=True)
class Tuned:
    """An effort that tune has tried; chosen: it is stored."""

    effort: int | None
    recall: float | None
    p50_ms: float | None
    p95_ms: float | None
    chosen: bool


@dataclass(frozen=True, slots=True)
class Alert:
    """One line of the view evervec.alerts; since is None where nobody knows."""

    source: str | None
    alert: str
    since: datetime | None
    problem: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Cost:
    """What one source had from one model on one day (UTC).

    texts   rows that the provider embedded; cached, unchanged: rows that cost nothing
    tokens  as the provider counted them
    cost    in the currency of the model's price; None when it has none
    """

    day: date
    source: str
    model: str
    requests: int
    texts: int
    cached: int
    unchanged: int
    failed: int
    tokens: int
    cost: float | None


@dataclass(frozen=True, slots=True)
class Budget:
    """What a model or a source (the other is None) may spend on a day, and has spent today (UTC).

    tokens_a_day, cost_a_day  None: unlimited
    spent                     nothing more is embedded until midnight UTC
    """

    model: str | None
    source: str | None
    tokens_a_day: int | None
    cost_a_day: float | None
    tokens_today: int
    cost_today: float
    spent: bool


@dataclass(frozen=True, slots=True)
class Estimate:
    """What it would cost to embed every row of a source that has no vector of its present text.

    rows      of the table
    missing   rows to embed; cached: those of them that cost nothing
    tokens    of the others, about
    cost      in the currency of the model's price; None when it has none
    sampled   whether only `examined` rows were read, and the counts are scaled
    """

    rows: int
    missing: int
    cached: int
    tokens: int
    cost: float | None
    sampled: bool
    examined: int


@dataclass(frozen=True, slots=True)
class Egress:
    """A column whose values are sent to a provider; leaves: to another machine."""

    source: str
    relation: str
    column_name: str
    model: str
    provider: str
    leaves: bool
    storage: str


@dataclass(frozen=True, slots=True)
class Stored:
    """A vector as it is stored.

    row_key    the key as JSON text exactly as the database wrote it
    embedding  shape (dimensions,), float32
    model      name of the model it is of
    metadata   what the application stored with it; empty unless the storage is manual
    """

    row_key: str
    embedding: NDArray[np.float32]
    model: str
    metadata: dict[str, Any]
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class ClaimedJob:
    """One row of evervec.claim_jobs.

    source    empty for a task that concerns none
    state     "embed" when a vector is wanted; "cached" when the database has it; "unchanged",
              "gone", "empty", "failed", and "done" of a task, are settled
    too_long  "cut" or "dead_letter": what the source wants of a text beyond the model's limit
    """

    job_id: int
    source: str
    task_type: str
    attempts: int
    state: str
    content: str | None
    content_hash: bytes | None
    model: str | None
    too_long: str | None = None
    last_class: str | None = None
    expiries: int = 0


def grouped(
    jobs: Iterable[ClaimedJob], name: Callable[[ClaimedJob], str]
) -> Iterable[tuple[str, list[ClaimedJob]]]:
    """Jobs by a name that they share, such as their source's, in the order of their first."""
    groups: dict[str, list[ClaimedJob]] = {}
    for job in jobs:
        groups.setdefault(name(job), []).append(job)
    return groups.items()


@dataclass(frozen=True, slots=True)
class Claim:
    """The jobs of one call of evervec.claim_jobs, all under one lease."""

    lease_token: UUID
    jobs: tuple[ClaimedJob, ...]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a job.

    Of completing it: completed, superseded, gone, locked, lost; of failing it: retry, dead, lost.
    """

    job_id: int
    outcome: str


@dataclass(frozen=True, slots=True)
class JobStatus:
    """What became of a job.

    state         queued, processing, retrying, completed, superseded, gone, dead or unknown
    row_key       the key as JSON text, or None of a task
    progress      0 to 1, None where there is none
    max_attempts  None: never gives up
    """

    job_id: int
    state: str
    task_type: str | None
    source: str | None
    row_key: str | None
    progress: float | None
    attempt: int | None
    max_attempts: int | None
    next_try_at: datetime | None
    last_error: str | None
    queued_at: datetime | None
    started_at: datetime | None
    ended_at: datetime | None
    metadata: dict[str, Any] | None
    note: str | None


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A job that gave up.

    row_key   the key as JSON text, or None of a task
    failures  every attempt with "at", "class", "status" and "message"
    """

    dead_letter_id: int
    job_id: int | None
    source: str | None
    task_type: str
    row_key: str | None
    task_data: dict[str, Any] | None
    error_class: str
    status_code: int | None
    message: str
    attempts: int
    failures: list[dict[str, Any]]
    metadata: dict[str, Any]
    queued_at: datetime
    first_failed_at: datetime
    last_failed_at: datetime
    resolved_at: datetime | None
    resolved_by: str | None
    note: str | None


@dataclass(frozen=True, slots=True)
class LetterStatistics:
    """Dead letters in numbers; by_class, recent and oldest are about those that are open."""

    open: int
    resolved: int
    by_class: dict[str, int]
    recent: list[dict[str, Any]]
    oldest: datetime | None


@dataclass(frozen=True, slots=True)
class Principal:
    """Whom a token of the webhook stands for.

    scopes  read, write, admin: each with those below it
    tenant  whose provider profile is used for it
    """

    name: str
    scopes: frozenset[str]
    tenant: str | None


@dataclass(frozen=True, slots=True)
class Token:
    """A token that was made for the webhook; not the token itself."""

    name: str
    scopes: list[str]
    tenant: str | None
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None


@dataclass(frozen=True, slots=True)
class Ticked:
    """Rows moved by one evervec.tick."""

    folded: int
    reclaimed: int


@dataclass(frozen=True, slots=True)
class Maintained:
    """One piece of upkeep that was due: what it returned, by its columns, or why it failed."""

    job: str
    result: dict[str, int] | None
    error: str | None


@dataclass(frozen=True, slots=True)
class MaintenanceJob:
    """One job for pg_cron; database and role: None where pg_cron is, as whoever schedules it."""

    name: str
    schedule: str
    command: str
    database: str | None
    role: str | None


class _Keyed:
    """A row that a search found, by its row_key."""

    __slots__ = ()
    row_key: str

    @property
    def key(self) -> dict[str, Any]:
        """The key's columns, for showing: what no double can hold is rounded here, not in
        row_key.
        """
        decoded: dict[str, Any] = json.loads(self.row_key)
        return decoded


@dataclass(frozen=True, slots=True)
class Neighbour(_Keyed):
    """One row of a search, nearest first.

    row_key     the key as JSON text exactly as the database wrote it, to be given back unchanged
    similarity  1 − cosine distance for cosine sources, in [-1, 1]
    """

    row_key: str
    similarity: float
    distance: float


@dataclass(frozen=True, slots=True)
class Recommendation(_Keyed):
    """One row that is recommended to a user, best first.

    row_key     the key as JSON text exactly as the database wrote it
    score       what the rows are ordered by
    similarity  to what the user likes; None: nothing is known of it
    type        how the row was found: trending where nothing is known of the user
    because     the key of the row that the user likes and that is nearest to this one; None: none
    confidence  how much is known of the user, from 0 to 1
    """

    row_key: str
    score: float
    similarity: float | None
    type: str
    because: dict[str, Any] | None
    confidence: float


@dataclass(frozen=True, slots=True)
class Forgotten:
    """How many rows of one kind were erased with a user."""

    kind: str
    rows: int


@dataclass(frozen=True, slots=True)
class Match(_Keyed):
    """One row of a search by meaning and words, best first.

    row_key       the key as JSON text exactly as the database wrote it
    score         the sum of weight / (60 + rank) over the searches that found the row
    vector_rank   its place by meaning, from 1, and its similarity; None: not among the first
    text_rank     its place by words, from 1, and what ts_rank_cd makes of them; None likewise
    """

    row_key: str
    score: float
    vector_rank: int | None
    similarity: float | None
    text_rank: int | None
    text_score: float | None
