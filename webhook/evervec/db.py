"""The database as evervec sees it: one typed method a SQL function; the package's only SQL."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Literal, LiteralString
from uuid import UUID

import numpy as np
import psycopg
from numpy.typing import NDArray
from psycopg.rows import class_row, scalar_row, tuple_row
from psycopg.types.json import Jsonb

from evervec import failpoints, logs
from evervec.providers.base import Kind
from evervec.records import (
    Alert,
    Budget,
    BuildSettings,
    Call,
    Claim,
    ClaimedJob,
    Cost,
    Coverage,
    DeadLetter,
    Egress,
    Estimate,
    Finding,
    Forgotten,
    IndexState,
    JobStatus,
    LetterStatistics,
    Maintained,
    MaintenanceJob,
    Match,
    Model,
    Neighbour,
    Outcome,
    Pending,
    Principal,
    QueueHealth,
    Recall,
    Recommendation,
    Slice,
    Source,
    SourceStatus,
    Stored,
    Ticked,
    Token,
    Tuned,
)
from evervec.session import DatabaseUnavailableError, Session

__all__ = ["Database", "DatabaseUnavailableError", "RingCheck", "Vector"]

Vector = NDArray[np.float32]
RingCheck = Literal["ok", "bad", "expired", "replayed"]

_LETTERS: LiteralString = (
    "select dead_letter_id, job_id, source, task_type, row_key::text, task_data, error_class,"
    " status_code, message, attempts, failures, metadata, queued_at, first_failed_at,"
    " last_failed_at, resolved_at, resolved_by, note"
    " from evervec.dead_letters(p_source => %s, p_class => %s, p_resolved => %s::boolean,"
    " p_limit => %s::int, p_before => %s::bigint)"
)


def _log_notice(notice: psycopg.errors.Diagnostic) -> None:
    logs.warning("index_notice", message=notice.message_primary, hint=notice.message_hint)


class Database(Session):
    """The functions of schema evervec, through a small pool of connections.

    Every method raises EvervecError with the server's SQLSTATE, DETAIL and HINT; of that kind,
    DatabaseUnavailableError is worth another attempt.
    """

    # -- models and sources ----------------------------------------------------------------------

    def get_model(self, name: str) -> Model:
        """One model. Raises VE108."""
        return self._row(
            Model,
            "select name, provider, provider_model, dimensions, input_limit, document_prefix,"
            " query_prefix, request,"
            " batch_texts, batch_tokens, nullif(paused_until, 'infinity') as paused_until,"
            " coalesce(paused_until > now(), false) as paused, limited"
            " from evervec.get_model(%s)",
            name,
        )

    def get_source(self, name: str) -> Source:
        """One source. Raises VE101."""
        return self._row(
            Source,
            "select name, relation, model, target, distance, key_columns, state from"
            " evervec.get_source(%s)",
            name,
        )

    def track(
        self,
        relation: str,
        *,
        columns: Sequence[str] | None = None,
        template: str | None = None,
        model: str = "local",
        name: str | None = None,
        distance: str = "cosine",
        index: str = "hnsw",
        backfill: bool = True,
        priority: str = "5",
        text_sql: str | None = None,
        where: str | None = None,
        depends_on: str | None = None,
        storage: str = "table",
        storage_columns: str | None = None,
        foreign_key: bool = False,
        too_long: str = "cut",
        cache: bool = True,
        text_search: str | None = None,
        bm25: bool | None = None,
        precision: str | None = None,
        vector_type: str = "vector",
        index_options: str = "{}",
        retention: str | None = None,
    ) -> str:
        """Begin to keep embeddings of a table; the source's name.

        depends_on, storage_columns, index_options and retention are JSON texts.
        """
        return str(
            self._value(
                "select evervec.track(p_relation => %s::regclass, p_columns => %s::text[],"
                " p_template => %s,"
                " p_model => %s, p_name => %s, p_distance => %s, p_index => %s, p_backfill => %s,"
                " p_priority => %s::text, p_text_sql => %s, p_where => %s,"
                " p_depends_on => %s::jsonb, p_storage => %s, p_storage_columns => %s::jsonb,"
                " p_foreign_key => %s, p_too_long => %s, p_cache => %s, p_text_search => %s,"
                " p_bm25 => %s::boolean, p_precision => %s, p_vector_type => %s,"
                " p_index_options => %s::jsonb, p_retention => %s::jsonb)",
                relation,
                None if columns is None else list(columns),
                template,
                model,
                name,
                distance,
                index,
                backfill,
                priority,
                text_sql,
                where,
                depends_on,
                storage,
                storage_columns,
                foreign_key,
                too_long,
                cache,
                text_search,
                bm25,
                precision,
                vector_type,
                index_options,
                retention,
            )
        )

    def untrack(self, source: str, *, drop_vectors: bool = False) -> None:
        """Stop keeping embeddings. Raises VE003 when vectors would be lost without drop_vectors."""
        self._value("select evervec.untrack(%s, p_drop_vectors => %s)", source, drop_vectors)

    def suspend(self, source: str) -> None:
        """Take a source's triggers away, so that its columns can be altered."""
        self._value("select evervec.suspend(%s)", source)

    def retrack(
        self,
        source: str,
        *,
        columns: Sequence[str] | None = None,
        template: str | None = None,
        text_sql: str | None = None,
        where: str | None = None,
        depends_on: str | None = None,
        too_long: str | None = None,
        cache: bool | None = None,
        text_search: str | None = None,
        bm25: bool | None = None,
        index: str | None = None,
        precision: str | None = None,
        vector_type: str | None = None,
        index_options: str | None = None,
        retention: str | None = None,
    ) -> None:
        """Bring a source back, with the recipe and the index that it has or others.

        depends_on, index_options and retention are JSON texts.
        """
        self._value(
            "select evervec.retrack(%s, p_columns => %s::text[], p_template => %s, p_text_sql =>"
            " %s, p_where => %s, p_depends_on => %s::jsonb, p_too_long => %s,"
            " p_cache => %s::boolean, p_text_search => %s, p_bm25 => %s::boolean,"
            " p_index => %s, p_precision => %s, p_vector_type => %s, p_index_options => %s::jsonb,"
            " p_retention => %s::jsonb)",
            source,
            None if columns is None else list(columns),
            template,
            text_sql,
            where,
            depends_on,
            too_long,
            cache,
            text_search,
            bm25,
            index,
            precision,
            vector_type,
            index_options,
            retention,
        )

    def pause(self, source: str | None = None) -> int:
        """Stop the work on a source, or on all; how many were active."""
        return int(self._value("select evervec.pause(%s)", source))

    def resume(self, source: str | None = None) -> int:
        """Take the work on a source, or on all, up again; how many were paused."""
        return int(self._value("select evervec.resume(%s)", source))

    def reset(self, source: str, keys: Sequence[str] | None = None) -> int:
        """Drop every vector of a source, or those of some rows, and begin to make them anew; how
        many there were.

        keys: JSON texts. Raises VE101, VE111, VE202, VE303.
        """
        return int(
            self._value(
                "select evervec.reset(%s, %s::text[]::jsonb[])",
                source,
                None if keys is None else list(keys),
            )
        )

    def archive(
        self,
        source: str,
        *,
        older_than: str | None = None,
        where: str | None = None,
        column: str | None = None,
        limit: int = 10_000,
    ) -> int:
        """Drop the vectors of a slice of the settled rows; how many, 0 when none is left.

        older_than is an interval in PostgreSQL's words.
        """
        return int(
            self._value(
                "select evervec.archive(%s, %s::interval, %s, %s, %s)",
                source,
                older_than,
                where,
                column,
                limit,
            )
        )

    def restore(self, source: str, where: str | None = None, limit: int = 10_000) -> int:
        """Queue a slice of the archived rows; how many, 0 when none is left."""
        return int(self._value("select evervec.restore(%s, %s, %s)", source, where, limit))

    # -- who may do what -------------------------------------------------------------------------

    def grant_access(self, role: str, kind: str) -> bool:
        """Give a role the rights of a kind; whether it had them not. Raises VE111, VE214."""
        return bool(self._value("select evervec.grant_access(%s, %s)", role, kind))

    def revoke_access(self, role: str, kind: str) -> bool:
        """Take them away; whether it had them. Raises VE111, VE214."""
        return bool(self._value("select evervec.revoke_access(%s, %s)", role, kind))

    def protect(self, source: str) -> bool:
        """Mirror row-level security onto the vectors; False where they are in the table itself."""
        return bool(self._value("select evervec.protect(%s)", source))

    def unprotect(self, source: str) -> bool:
        """Take it off the vectors; whether it was there."""
        return bool(self._value("select evervec.unprotect(%s)", source))

    # -- who may call the webhook ----------------------------------------------------------------

    def create_token(
        self,
        name: str,
        scopes: Sequence[str] = ("read",),
        tenant: str | None = None,
        expires: timedelta | None = None,
    ) -> str:
        """Make a token, which is shown this once. Raises VE111, VE411."""
        return str(
            self._value(
                "select evervec.create_token(%s, %s::text[], %s, %s)",
                name,
                list(scopes),
                tenant,
                expires,
            )
        )

    def revoke_token(self, name: str) -> None:
        """Make a token worthless. Raises VE412."""
        self._value("select evervec.revoke_token(%s)", name)

    def tokens(self) -> list[Token]:
        """The tokens that were made, the oldest first."""
        return self._rows(
            Token,
            "select name, scopes, tenant, created_at, expires_at, revoked_at, last_used_at"
            " from evervec.tokens()",
        )

    def check_token(self, token: str) -> Principal | None:
        """Whom a token stands for; None: nobody. Only its hash leaves this process."""
        digest = hashlib.sha256(token.encode()).digest()
        with self._transaction() as connection, connection.cursor() as cursor:
            row = cursor.execute(
                "select name, scopes, tenant from evervec.check_token(%s)", (digest,)
            ).fetchone()
        return None if row is None else Principal(**{**row, "scopes": frozenset(row["scopes"])})

    def rotate_secret(self, overlap: timedelta) -> None:
        """Sign rings with a new secret; the former one is good for `overlap`. Raises VE111."""
        self._value("select evervec.rotate_secret(%s)", overlap)

    def check_ring(self, timestamp: int, nonce: str, body: bytes, signature: str) -> RingCheck:
        """Whether a ring is the database's own, of the last five minutes, and new."""
        answer: RingCheck = self._value(
            "select evervec.check_ring(%s::bigint, %s, %s, %s)", timestamp, nonce, body, signature
        )
        return answer

    # -- health ----------------------------------------------------------------------------------

    def doctor(self, source: str | None = None) -> list[Finding]:
        """What is wrong with a source, or with all of them and the database."""
        return self._rows(
            Finding,
            "select source, finding, severity, problem, remedy from evervec.doctor(%s)",
            source,
        )

    def alerts(self) -> list[Alert]:
        """What needs attention, by the thresholds in evervec.setting."""
        return self._rows(Alert, "select source, alert, since, problem, remedy from evervec.alerts")

    def status(self) -> list[SourceStatus]:
        """Every source, by name."""
        return self._rows(
            SourceStatus,
            "select source, relation::text, model, state, pending, processing, retrying, dead,"
            " vectors, index_state, backfill, index_progress::float8, archived"
            " from evervec.status order by source",
        )

    def queue_health(self, source: str | None = None) -> list[QueueHealth]:
        """What waits and how fast it goes, of one source or of all, by name."""
        return self._rows(
            QueueHealth,
            "select source, model, state, pending, processing, retrying, dead, backfill, rows,"
            " vectors, rows_a_minute, claim_ms, embed_ms, complete_ms, oldest, eta,"
            " archived"
            " from evervec.queue_health where %s::text is null or source = %s order by source",
            source,
            source,
        )

    def applied_migrations(self) -> set[str]:
        """The ids of the migrations that this database has."""
        with self._transaction() as connection, connection.cursor(row_factory=scalar_row) as cursor:
            return set(cursor.execute("select migration_id from evervec.schema_version").fetchall())

    def active_sources(self) -> dict[str, str]:
        """Sources that may be worked on, each with its model. Counts nothing, so it is quick."""
        with self._transaction() as connection, connection.cursor(row_factory=tuple_row) as cursor:
            return dict(
                cursor.execute(
                    "select source, model from evervec.status where state = 'active'"
                ).fetchall()
            )

    # -- progress --------------------------------------------------------------------------------

    def backfill(self, source: str) -> int:
        """Begin (again) to look for rows without a vector; an estimate of all rows."""
        return int(self._value("select evervec.backfill(%s)", source))

    def reconcile(self, source: str, limit: int = 10_000) -> Slice:
        """Compare one slice of a source by hash; examined is 0 when the pass is over."""
        return self._row(
            Slice,
            "select examined, missing, stale, orphaned from evervec.reconcile(%s, %s)",
            source,
            limit,
        )

    def coverage(self, source: str) -> Coverage:
        """Count rows and vectors; reads the table."""
        return self._row(
            Coverage,
            "select source, total, embedded, archived, missing, percent::float8"
            " from evervec.coverage(%s)",
            source,
        )

    def pending(self, source: str | None = None) -> Pending:
        """Work not yet done, of one source or of all."""
        return self._row(
            Pending,
            "select log, queued, processing, retrying, backfill from evervec.pending(%s)",
            source,
        )

    # -- cost ------------------------------------------------------------------------------------

    def cost(self, since: date, source: str | None = None) -> list[Cost]:
        """What each day since then (UTC) cost, by source and model, the newest day first."""
        return self._rows(
            Cost,
            "select day, source, model, requests, texts, cached, unchanged, failed, tokens,"
            " cost::float8 from evervec.cost where day >= %s and (%s::text is null or source = %s)"
            " order by day desc, source, model",
            since,
            source,
            source,
        )

    def budgets(self) -> list[Budget]:
        """Every budget, models' first, and what is spent of it today (UTC)."""
        return self._rows(
            Budget,
            "select model, source, tokens_a_day, cost_a_day::float8, tokens_today,"
            " cost_today::float8, spent from evervec.budget_status order by model, source",
        )

    def set_budget(
        self,
        *,
        model: str | None = None,
        source: str | None = None,
        tokens: int | None = None,
        cost: Decimal | None = None,
    ) -> None:
        """Limit what a model or a source may spend on a day (UTC); no limit: no more budget.

        Raises VE101, VE108, VE111.
        """
        self._value(
            "select evervec.set_budget(%s, %s, %s::bigint, %s::numeric)",
            model,
            source,
            tokens,
            cost,
        )

    def estimate(self, source: str) -> Estimate:
        """What it would cost to embed what is not; reads up to some 5,000 rows."""
        return self._row(
            Estimate,
            "select rows, missing, cached, tokens, cost::float8, sampled, examined"
            " from evervec.estimate(%s)",
            source,
        )

    def egress(self) -> list[Egress]:
        """Which columns go to which provider."""
        return self._rows(
            Egress,
            "select source, relation, column_name, model, provider, leaves, storage"
            " from evervec.egress",
        )

    # -- asking for work ---------------------------------------------------------------------------

    def enqueue(
        self,
        source: str,
        row_keys: Sequence[str],
        *,
        operation: str = "update",
        priority: int | None = None,
        triggered_by: str = "api",
        metadata: str = "{}",
    ) -> list[int]:
        """Queue rows by their keys; one job id a key, in that order.

        Keys and metadata are JSON texts. Raises VE101, VE111, VE202, VE302, VE303.
        """
        with self._transaction() as connection, connection.cursor(row_factory=scalar_row) as cursor:
            return cursor.execute(
                "select e.job_id from evervec.enqueue(%s, %s::text[]::jsonb[], %s, %s::int, %s,"
                " %s::jsonb) with ordinality as e (job_id, n) order by e.n",
                (source, list(row_keys), operation, priority, triggered_by, metadata),
            ).fetchall()

    def enqueue_source(
        self,
        source: str,
        rows: Literal["all", "missing"],
        *,
        operation: str = "update",
        priority: int | None = None,
        triggered_by: str = "api",
        metadata: str = "{}",
    ) -> int:
        """Queue a task: make all vectors anew, or those that are missing; its job id."""
        return int(
            self._value(
                "select evervec.enqueue(%s, %s::text, %s, %s::int, %s, %s::jsonb)",
                source,
                rows,
                operation,
                priority,
                triggered_by,
                metadata,
            )
        )

    def row_keys(
        self,
        source: str,
        *,
        missing: bool = True,
        filter_name: str | None = None,
        arguments: str = "{}",
        after: str | None = None,
        limit: int = 100,
    ) -> list[str]:
        """Keys of rows to be queued, in their order, as JSON texts.

        filter_name, arguments (a JSON text): among the rows that this filter leaves.
        Raises VE101, VE111, VE202, VE208.
        """
        with self._transaction() as connection, connection.cursor(row_factory=scalar_row) as cursor:
            return cursor.execute(
                "select k::text from evervec.row_keys(p_source => %s, p_missing => %s,"
                " p_filter => %s, p_arguments => %s::jsonb, p_after => %s::jsonb,"
                " p_limit => %s::int) k",
                (source, missing, filter_name, arguments, after, limit),
            ).fetchall()

    def job_status(self, job_id: int) -> JobStatus:
        """What became of a job; of state "unknown" when nobody knows."""
        return self._row(
            JobStatus,
            "select job_id, state, task_type, source, row_key::text, progress, attempt,"
            " max_attempts, next_try_at, last_error, queued_at, started_at, ended_at, metadata,"
            " note from evervec.job_status(%s)",
            job_id,
        )

    # -- dead letters ------------------------------------------------------------------------------

    def dead_letters(
        self,
        source: str | None = None,
        error_class: str | None = None,
        *,
        resolved: bool | None = False,
        limit: int | None = 100,
        before: int | None = None,
    ) -> list[DeadLetter]:
        """Jobs that gave up, the newest first; resolved: None for both; before: with smaller ids.

        Raises VE101.
        """
        return self._rows(DeadLetter, _LETTERS, source, error_class, resolved, limit, before)

    def dead_letter(self, dead_letter_id: int) -> DeadLetter | None:
        """One of them by its id, open or not."""
        found = self.dead_letters(resolved=None, limit=1, before=dead_letter_id + 1)
        return found[0] if found and found[0].dead_letter_id == dead_letter_id else None

    def dead_letter_statistics(self, source: str | None = None) -> LetterStatistics:
        """How many, of which classes, the newest and the oldest. Raises VE101."""
        return self._row(
            LetterStatistics,
            "select open, resolved, by_class, recent, oldest"
            " from evervec.dead_letter_statistics(%s)",
            source,
        )

    def retry_dead_letter(self, dead_letter_id: int) -> int:
        """Queue one anew; the job's id. Raises VE202, VE303, VE304."""
        return int(self._value("select evervec.retry_dead_letter(%s)", dead_letter_id))

    def retry_dead_letters(self, source: str | None = None, error_class: str | None = None) -> int:
        """Queue up to 10,000 anew; how many. Call it until 0. Raises VE101."""
        return int(self._value("select evervec.retry_dead_letters(%s, %s)", source, error_class))

    def resolve_dead_letter(
        self, dead_letter_id: int, by: str | None = None, note: str | None = None
    ) -> None:
        """Settle one without another attempt; by: the role that is connected. Raises VE304."""
        self._value(
            "select evervec.resolve_dead_letter(%s, coalesce(%s, current_user), %s)",
            dead_letter_id,
            by,
            note,
        )

    # -- the worker's calls ----------------------------------------------------------------------

    def claim_jobs(
        self,
        limit: int,
        lease: timedelta,
        worker: str,
        sources: Sequence[str] | None = None,
        job_ids: Sequence[int] | None = None,
    ) -> Claim | None:
        """Take up to `limit` jobs under one lease; None when there is nothing to do now."""
        with self._transaction() as connection, connection.cursor(row_factory=tuple_row) as cursor:
            rows = cursor.execute(
                "select lease_token, job_id, coalesce(source, ''), task_type, attempts,"
                " state, content, content_hash, model, too_long, last_class, expiries"
                " from evervec.claim_jobs(p_limit => %s, p_lease => %s, p_worker => %s,"
                " p_sources => %s::text[], p_job_ids => %s::bigint[])",
                (
                    limit,
                    lease,
                    worker,
                    None if sources is None else list(sources),
                    None if job_ids is None else list(job_ids),
                ),
            ).fetchall()
        if not rows:
            return None
        token: UUID = rows[0][0]
        return Claim(token, tuple(ClaimedJob(*row[1:]) for row in rows))

    def complete_jobs(
        self,
        lease: UUID,
        job_ids: Sequence[int],
        vectors: Sequence[Vector | None],
        notes: Sequence[str | None] | None = None,
    ) -> list[Outcome]:
        """Store one vector a job, each of shape (dimensions,), where lease and text still hold.

        None: the vector that the cache has of the job's text, claimed as "cached".
        notes: one a job, kept beside the vector and in the job's receipt.
        """
        with (
            self._transaction() as connection,
            connection.cursor(row_factory=class_row(Outcome)) as cursor,
        ):
            outcomes = cursor.execute(
                "select job_id, outcome from evervec.complete_jobs(%s, %s::bigint[], %b,"
                " %s::text[])",
                (lease, list(job_ids), list(vectors), None if notes is None else list(notes)),
            ).fetchall()
            failpoints.hit("mid_complete")
        return outcomes

    def fail_jobs(
        self,
        lease: UUID,
        job_ids: Sequence[int],
        error_class: str,
        message: str,
        status_code: int | None = None,
        retry_after: timedelta | None = None,
    ) -> list[Outcome]:
        """Report jobs that could not be embedded; the class decides about another attempt."""
        return self._rows(
            Outcome,
            "select job_id, outcome from evervec.fail_jobs(p_lease_token => %s, p_job_ids =>"
            " %s::bigint[],"
            " p_error_class => %s, p_message => %s, p_status_code => %s::int, p_retry_after =>"
            " %s)",
            lease,
            list(job_ids),
            error_class,
            # PostgreSQL has no NUL in text, and a provider's answer may hold anything.
            message.replace("\x00", "\N{REPLACEMENT CHARACTER}"),
            status_code,
            retry_after,
        )

    def begin_call(self, model: str, tokens: int, timeout: timedelta) -> Call:
        """Ask whether a request of about so many tokens may be sent to a limited model now."""
        return self._row(
            Call,
            "select call_id, wait from evervec.begin_call(%s, %s::bigint, %s)",
            model,
            tokens,
            timeout,
        )

    def end_call(self, call_id: int, tokens: int | None = None) -> bool:
        """Say that it has ended, well or not; tokens: what it really had. Whether it was open."""
        return bool(self._value("select evervec.end_call(%s, %s::bigint)", call_id, tokens))

    def release_jobs(self, lease: UUID, job_ids: Sequence[int]) -> int:
        """Give jobs back unharmed; how many were still ours."""
        return int(
            self._value("select evervec.release_jobs(%s, %s::bigint[])", lease, list(job_ids))
        )

    def extend_lease(self, lease: UUID, by: timedelta) -> int:
        """Keep the jobs of a claim for `by` from now; how many were still ours."""
        return int(self._value("select evervec.extend_lease(%s, %s)", lease, by))

    def log_batch(
        self,
        *,
        worker: str,
        counts: Sequence[Mapping[str, str | int | None]],
        claim_ms: float,
        embed_ms: float,
        complete_ms: float,
    ) -> None:
        """Record a processed batch; counts: see evervec.ledger.Counts, one a source."""
        self._value(
            "select evervec.log_batch(p_worker => %s, p_counts => %s, p_claim_ms => %s::real,"
            " p_embed_ms => %s::real, p_complete_ms => %s::real)",
            worker,
            Jsonb(list(counts)),
            claim_ms,
            embed_ms,
            complete_ms,
        )

    # -- upkeep ----------------------------------------------------------------------------------

    def tick(self) -> Ticked:
        """Upkeep of the queue: fold what the log holds, free expired leases."""
        return self._row(Ticked, "select folded, reclaimed from evervec.tick()")

    def maintain(self) -> Maintained | None:
        """Do the piece of upkeep that has been due longest; None when nothing is due."""
        found = self._rows(
            Maintained, "select job, result, error from evervec.maintain() where job is not null"
        )
        return found[0] if found else None

    def maintenance_jobs(self) -> list[MaintenanceJob]:
        """The upkeep as jobs of pg_cron."""
        return self._rows(
            MaintenanceJob,
            "select name, schedule, command, database, role from evervec.maintenance_jobs()",
        )

    def schedule_maintenance(self) -> dict[str, str]:
        """Give the upkeep to pg_cron in this database; schedule by job. Raises VE421."""
        with self._transaction() as connection, connection.cursor(row_factory=tuple_row) as cursor:
            return dict(
                cursor.execute(
                    "select name, schedule from evervec.schedule_maintenance()"
                ).fetchall()
            )

    def unschedule_maintenance(self) -> int:
        """Take it from pg_cron again; how many jobs there were."""
        return int(self._value("select evervec.unschedule_maintenance()"))

    def configure_push(self, url: str, transport: str, *, search: bool) -> str:
        """Ring the webhook at this URL; by what: pg_net, http or none. Raises VE422, VE423."""
        return str(
            self._value(
                "select evervec.configure_push(%s, %s, p_search => %s)", url, transport, search
            )
        )

    def push_off(self) -> bool:
        """Ring nobody any more; whether anybody was."""
        return bool(self._value("select evervec.push_off()"))

    # -- pg_cron, where this is its database and evervec's is another ------------------------------

    def cron_schedule(self, job: MaintenanceJob) -> None:
        """Schedule a job, or replace that of its name; only a superuser may do so for its role."""
        self._value(
            "select cron.schedule_in_database(%s, %s, %s, coalesce(%s, current_database()),"
            " (select %s from pg_roles where rolname = current_user and rolsuper))",
            job.name,
            job.schedule,
            job.command,
            job.database,
            job.role,
        )

    def cron_unschedule(self, names: Sequence[str]) -> int:
        """Remove jobs, and what pg_cron kept about them; how many there were."""
        with self._transaction() as connection, connection.cursor(row_factory=scalar_row) as cursor:
            jobs = cursor.execute(
                "select jobid from cron.job where jobname::text = any(%s)", (list(names),)
            ).fetchall()
            cursor.execute(
                "delete from cron.job_run_details where jobid = any(%s::bigint[])", (jobs,)
            )
            cursor.execute(
                "select cron.unschedule(jobid) from unnest(%s::bigint[]) as j (jobid)", (jobs,)
            )
        return len(jobs)

    # -- vectors of the application's own ----------------------------------------------------------

    def put_embeddings(
        self,
        source: str,
        row_keys: Sequence[str],
        vectors: Sequence[Vector],
        *,
        model: str | None = None,
        metadata: Sequence[str] | None = None,
    ) -> int:
        """Store one vector a key of a manual source; for how many keys a row was there.

        vectors: of shape (dimensions,). Keys and metadata are JSON texts. Raises VE109, VE201,
        VE202, VE205.
        """
        return int(
            self._value(
                "select evervec.put_embeddings(%s, %s::text[]::jsonb[], %b, %s,"
                " %s::text[]::jsonb[])",
                source,
                list(row_keys),
                list(vectors),
                model,
                None if metadata is None else list(metadata),
            )
        )

    def get_embeddings(self, source: str, row_keys: Sequence[str]) -> list[Stored]:
        """The vectors of rows by key, in that order; rows without one are left out."""
        with self._transaction() as connection, connection.cursor() as cursor:
            rows = cursor.execute(
                "select row_key::text, embedding, model, metadata, updated_at from"
                " evervec.get_embeddings(%s, %s::text[]::jsonb[])",
                (source, list(row_keys)),
            ).fetchall()
        return [Stored(**{**row, "embedding": row["embedding"].to_numpy()}) for row in rows]

    def delete_embeddings(self, source: str, row_keys: Sequence[str]) -> int:
        """Remove vectors of a manual source; how many there were."""
        return int(
            self._value(
                "select evervec.delete_embeddings(%s, %s::text[]::jsonb[])", source, list(row_keys)
            )
        )

    # -- indexes ---------------------------------------------------------------------------------

    def due_indexes(self, sources: Sequence[str] | None = None) -> list[str]:
        """The sources, of these or of all, whose index should be built now."""
        with self._transaction() as connection, connection.cursor(row_factory=scalar_row) as cursor:
            return cursor.execute(
                "select evervec.due_indexes(%s::text[])",
                (None if sources is None else list(sources),),
            ).fetchall()

    def index_statement(self, source: str, *, rebuild: bool = False) -> str | None:
        """The next statement towards the source's index; None: it stands, or none is wanted.

        With rebuild, the statement that builds one that stands anew.
        """
        statement: str | None = self._value(
            "select evervec.index_statement(%s, %s)", source, rebuild
        )
        return statement

    def index_status(self, source: str | None = None) -> list[IndexState]:
        """The indexes of a source, or of all, and those that they should have. Raises VE101."""
        return self._rows(
            IndexState,
            "select source, covers, index, state, progress::float8, phase, method,"
            ' index_precision as precision, options, bytes, row_count as "rows", effort,'
            " build_bytes from evervec.index_status(%s)",
            source,
        )

    def build_settings(self, target: str) -> BuildSettings:
        """What our connections have to build an index over a table with."""
        return self._row(
            BuildSettings,
            "select m.memory, m.memory >= 64 * 1024 * 1024"
            "  and current_setting('max_parallel_maintenance_workers')::int > 0"
            "  and current_setting('max_parallel_workers')::int > 0"
            "  and pg_relation_size(%s::regclass)"
            "      >= pg_size_bytes(current_setting('min_parallel_table_scan_size')) as workers,"
            " current_setting('dynamic_shared_memory_type') = 'posix' as shared,"
            " coalesce(inet_server_addr() = inet_client_addr(), true) as here"
            " from (select pg_size_bytes(current_setting('maintenance_work_mem')) as memory) m",
            target,
        )

    def execute_index_statement(self, statement: str) -> None:
        """Run what `index_statement` answered, outside a transaction as CONCURRENTLY demands.

        What the server remarks on it (that the build runs out of memory and is slow) is logged.
        """
        with self._connection() as connection:
            self._building = connection
            connection.add_notice_handler(_log_notice)
            try:
                connection.execute(statement.encode())
            finally:
                connection.remove_notice_handler(_log_notice)
                self._building = None

    def cancel_index_statement(self) -> None:
        """End an index statement that another thread is waiting for."""
        connection = self._building
        if connection is not None:
            connection.cancel_safe(timeout=self._connect_timeout)

    # -- how good the answers are ----------------------------------------------------------------

    def measure_recall(
        self,
        source: str,
        samples: int,
        limit: int,
        noise: float,
        efforts: Sequence[int | None] | None,
    ) -> list[Recall]:
        """Recall and time with each effort (None: as searches are now), or (None) with many.

        noise: how far queries are moved from rows, in distances to their neighbours.

        Raises VE101, VE111.
        """
        return self._rows(
            Recall,
            "select case when indexed then effort end as effort, samples, recall::float8,"
            " p50_ms::float8, p95_ms::float8, exact_p50_ms::float8, exact_p95_ms::float8"
            " from evervec.measure_recall(%s, %s::int, %s::int, %s::float8, %s::int[])",
            source,
            samples,
            limit,
            noise,
            None if efforts is None else list(efforts),
        )

    def tune(
        self, source: str, target: float | None, samples: int, limit: int, noise: float
    ) -> list[Tuned]:
        """Find and store the least effort that reaches a recall; None: the default again.

        noise: as of measure_recall.

        Raises VE101, VE111, VE221.
        """
        return self._rows(
            Tuned,
            "select effort, recall::float8, p50_ms::float8, p95_ms::float8, chosen"
            " from evervec.tune(%s, %s::float8, %s::int, %s::int, %s::float8)",
            source,
            target,
            samples,
            limit,
            noise,
        )

    # -- search ----------------------------------------------------------------------------------

    def cached_queries(
        self, model: str, texts: Sequence[str], kind: Kind = "query"
    ) -> list[Vector | None]:
        """The vectors of searches, each of shape (dimensions,), where they were made lately.

        Raises VE108.
        """
        with self._transaction() as connection, connection.cursor(row_factory=scalar_row) as cursor:
            found = cursor.execute(
                "select evervec.cached_query(%s, u.query, %s)"
                " from unnest(%s::text[]) with ordinality as u (query, n) order by u.n",
                (model, kind, list(texts)),
            ).fetchall()
        return [None if vector is None else vector.to_numpy() for vector in found]

    def cache_queries(
        self, model: str, texts: Sequence[str], vectors: Sequence[Vector], kind: Kind = "query"
    ) -> int:
        """Keep the vectors of searches for the next time; how many were new. Raises VE108."""
        return int(
            self._value(
                "select count(*) filter (where evervec.cache_query(%s, u.query, u.vector, %s))"
                " from unnest(%s::text[], %b) as u (query, vector)",
                model,
                kind,
                list(texts),
                list(vectors),
            )
        )

    def parse_key(self, source: str, key: str) -> str:
        """A key as a person types it, as JSON text. Raises VE202."""
        return str(self._value("select evervec.parse_key(%s, %s)::text", source, key))

    def search(
        self,
        source: str,
        words: str,
        limit: int = 10,
        min_similarity: float | None = None,
        exclude: Sequence[str] = (),
    ) -> list[Neighbour]:
        """Rows nearest to words whose vector the database knows. Raises VE207 where it does not."""
        return self._rows(
            Neighbour,
            "select row_key::text, similarity, distance from evervec.search(p_source => %s,"
            " p_text => %s, p_limit => %s::int, p_min_similarity => %s::real,"
            " p_exclude => %s::text[]::jsonb[])",
            source,
            words,
            limit,
            min_similarity,
            list(exclude),
        )

    def hybrid_search(
        self,
        source: str,
        words: str,
        query: Vector | None = None,
        limit: int = 10,
        vector_weight: float = 1.0,
        text_weight: float = 1.0,
        exclude: Sequence[str] = (),
    ) -> list[Match]:
        """Rows that meaning and words find together; query: the vector of the words, shape
        (dimensions,), None for the one that the database knows.
        """
        return self._rows(
            Match,
            "select row_key::text, score, vector_rank, similarity, text_rank, text_score"
            " from evervec.hybrid_search(p_source => %s, p_text => %s, p_query => %b,"
            " p_limit => %s::int, p_vector_weight => %s, p_text_weight => %s,"
            " p_exclude => %s::text[]::jsonb[])",
            source,
            words,
            query,
            limit,
            vector_weight,
            text_weight,
            list(exclude),
        )

    def find_similar(
        self,
        source: str,
        query: Vector,
        limit: int = 10,
        min_similarity: float | None = None,
        exclude: Sequence[str] = (),
    ) -> list[Neighbour]:
        """Rows nearest to a vector of shape (dimensions,)."""
        return self._rows(
            Neighbour,
            "select row_key::text, similarity, distance from evervec.find_similar(p_source =>"
            " %s, p_query => %b,"
            " p_limit => %s::int, p_min_similarity => %s::real,"
            " p_exclude => %s::text[]::jsonb[])",
            source,
            query,
            limit,
            min_similarity,
            list(exclude),
        )

    def find_similar_among(
        self,
        source: str,
        filter_name: str,
        arguments: str,
        query: Vector,
        limit: int = 10,
        min_similarity: float | None = None,
        exclude: Sequence[str] = (),
    ) -> list[Neighbour]:
        """Rows nearest to a vector of shape (dimensions,) among those that a filter leaves.

        arguments: of the filter, a JSON text. Raises VE111, VE208.
        """
        return self._rows(
            Neighbour,
            "select row_key::text, similarity, distance from evervec.find_similar_among("
            "p_source => %s, p_filter => %s, p_arguments => %s::jsonb, p_query => %b,"
            " p_limit => %s::int, p_min_similarity => %s::real,"
            " p_exclude => %s::text[]::jsonb[])",
            source,
            filter_name,
            arguments,
            query,
            limit,
            min_similarity,
            list(exclude),
        )

    def find_similar_to(
        self,
        source: str,
        row_key: str,
        limit: int = 10,
        min_similarity: float | None = None,
    ) -> list[Neighbour]:
        """Rows nearest to a row, which is not among them. Raises VE202, VE203."""
        return self._rows(
            Neighbour,
            "select row_key::text, similarity, distance from evervec.find_similar_to(p_source"
            " => %s,"
            " p_row_key => %s::jsonb, p_limit => %s::int, p_min_similarity => %s::real)",
            source,
            row_key,
            limit,
            min_similarity,
        )

    def recommend(
        self,
        user: str,
        source: str,
        limit: int = 10,
        kind: str = "personalized",
        preference: str = "default",
    ) -> list[Recommendation]:
        """Rows for a user. kind: of recommendations. Raises VE501, VE502, VE509, VE513."""
        return self._rows(
            Recommendation,
            "select row_key::text, score, similarity, type, because, confidence"
            " from evervec.recommend(p_user => %s, p_source => %s, p_limit => %s::int,"
            " p_type => %s, p_preference => %s)",
            user,
            source,
            limit,
            kind,
            preference,
        )

    def update_user_embedding(self, user: str, source: str) -> bool:
        """Learn anew what a user likes; False: there is nothing to learn from."""
        return bool(self._value("select evervec.update_user_embedding(%s, %s)", user, source))

    def forget_user(self, user: str) -> dict[str, int]:
        """Erase everything about a user; how many rows of each kind."""
        found = self._rows(Forgotten, "select kind, rows from evervec.forget_user(%s)", user)
        return {one.kind: one.rows for one in found}

    def render_rows(self, source: str, row_keys: Sequence[str]) -> dict[str, str | None]:
        """The texts of rows, by row_key; rows that are gone are left out."""
        with self._transaction() as connection, connection.cursor() as cursor:
            rows = cursor.execute(
                "select row_key::text as row_key, content from evervec.render_rows(%s,"
                " %s::text[]::jsonb[])",
                (source, list(row_keys)),
            ).fetchall()
        return {row["row_key"]: row["content"] for row in rows}
