"""Apply and roll back evervec's migrations: what `yoyo apply` does, safe against kills and company.

The truth about a database is `evervec.schema_version`: every migration writes its row there in its
own transaction. yoyo's marks follow a moment later, in a transaction of their own; where a kill
fell between the two, the marks are mended. One run at a time: the others wait on an advisory lock,
held by a transaction that stays open beside the work, so that it works behind PgBouncer too and
ends with a killed client.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import psycopg
from yoyo import read_migrations
from yoyo.exceptions import BadMigration

from evervec import resources
from evervec.errors import EvervecError
from evervec.yoyo_backend import OUR_NAME, Backend

Tell = Callable[[str], None]

# The last statement of every migration. The checksum covers everything before it.
SEAL = re.compile(
    r"insert into evervec\.schema_version \(migration_id, checksum\)\s+"
    r"values \('(?P<id>[^']*)', '(?P<checksum>[^']*)'\);\s*\Z"
)


@dataclass(frozen=True)
class MigrationState:
    """One migration of this package in one database."""

    migration_id: str
    applied_at: datetime | None  # None: not applied
    edited: bool  # applied from a file with another text


@dataclass(frozen=True)
class Status:
    """Where a database stands, oldest migration first."""

    migrations: tuple[MigrationState, ...]
    unknown: tuple[str, ...]  # applied by a newer evervec than this one
    unmended: tuple[str, ...]  # yoyo's marks say otherwise than the database itself

    @property
    def pending(self) -> tuple[str, ...]:
        """The migrations that `evervec migrate` would apply, in order."""
        return tuple(m.migration_id for m in self.migrations if m.applied_at is None)

    @property
    def applied(self) -> tuple[str, ...]:
        """The migrations that are applied, in order."""
        return tuple(m.migration_id for m in self.migrations if m.applied_at is not None)


@dataclass(frozen=True)
class Outcome:
    """What a run did: migrations applied or rolled back, in that order, and marks mended."""

    done: tuple[str, ...]
    mended: tuple[str, ...]


def status(conninfo: str) -> Status:
    """Where the database stands. Reads only: creates nothing, not even yoyo's tables."""
    migrations = _load()
    with _connection(conninfo) as conn:
        return _status(conn, migrations)


def apply(conninfo: str, *, break_lock: bool = False, tell: Tell = lambda _: None) -> Outcome:
    """Bring the database to this package's newest migration; safe to repeat and to run at once.

    tell is called with a line before each step. Raises EvervecError: unreachable database, VE001 or
    VE002 about pgvector, a database newer than this package, a lock that is not ours to break.
    """
    migrations = _load()
    with _connection(conninfo) as conn:
        before = _status(conn, migrations)
        _refuse_unknown(before)
        _refuse_edited(before)
        if not before.pending and not before.unmended:
            return Outcome((), ())
    with _exclusive(conninfo, tell) as conn:
        _refuse_unknown(_status(conn, migrations))
        with _backend(conninfo, break_lock) as backend, backend.lock():
            mended = _mend(backend, conn, migrations, tell)
            pending = list(backend.to_apply(migrations))
            for migration in pending:
                tell(f"applying {migration.id}")
                backend.apply_one(migration)
            return Outcome(tuple(m.id for m in pending), mended)


def rollback(
    conninfo: str,
    *,
    to: str | None = None,
    everything: bool = False,
    drop_vectors: bool = False,
    break_lock: bool = False,
    tell: Tell = lambda _: None,
) -> Outcome:
    """Undo the newest migration; with `to`, all that are newer than it; with `everything`, all.

    Raises EvervecError VE003, with nothing changed, where vectors would be lost and drop_vectors is
    not given. After `everything` yoyo's own tables go too, unless other projects use them.
    """
    migrations = _load()
    with _exclusive(conninfo, tell) as conn:
        found = _status(conn, migrations)
        _refuse_unknown(found)
        leftovers = everything and _has_bookkeeping(conn)
        if not found.applied and not found.unmended and not leftovers:
            return Outcome((), ())
        targets = _rollback_targets(found, to, everything)
        with _backend(conninfo, break_lock) as backend:
            backend.drop_vectors = drop_vectors
            with backend.lock():
                mended = _mend(backend, conn, migrations, tell)
                by_id = {m.id: m for m in migrations}
                for migration_id in targets:
                    tell(f"rolling back {migration_id}")
                    backend.rollback_one(by_id[migration_id])
                if everything:
                    backend.drop_bookkeeping()
        return Outcome(targets, mended)


def checksum(text: str) -> str:
    """SHA-256 of a migration's text before its seal, in hexadecimal."""
    seal = SEAL.search(text)
    covered = text[: seal.start()] if seal else text
    return hashlib.sha256(covered.encode()).hexdigest()


def _load() -> Any:
    """yoyo's list of our migrations, every one loaded, in the order of their dependencies."""
    migrations = read_migrations(str(resources.migrations_dir()))
    try:
        for migration in migrations:
            migration.load()
    except BadMigration as error:  # yoyo's own commands skip such a one without a word
        raise EvervecError(
            "the migrations are incomplete",
            detail=str(error),
            hint="Install evervec again: pip install --force-reinstall evervec.",
        ) from error
    return migrations.replace(sorted(migrations, key=lambda m: m.id))


@contextmanager
def _connection(conninfo: str) -> Iterator[psycopg.Connection]:
    """A connection of our own beside yoyo's; psycopg's errors become sentences."""
    try:
        with closing(
            psycopg.connect(
                conninfo,
                autocommit=True,
                prepare_threshold=None,
                application_name=OUR_NAME,
            )
        ) as conn:
            # A role's default may be another level; we must see what is committed beside us.
            conn.isolation_level = psycopg.IsolationLevel.READ_COMMITTED
            yield conn
    except psycopg.Error as error:
        raise EvervecError.from_psycopg(error) from error


@contextmanager
def _exclusive(conninfo: str, tell: Tell) -> Iterator[psycopg.Connection]:
    """Hold the advisory lock that one migrating process a database holds; a connection to look.

    The lock has a connection of its own, whose open transaction touches no table: any lock it took
    on one would stand in the way of a rollback that drops it.
    """
    with _connection(conninfo) as holder, holder.transaction():
        # It may take long, both to get the lock and to sit idle while the migrations run.
        holder.execute("set local lock_timeout = 0")
        holder.execute("set local statement_timeout = 0")
        holder.execute("set local idle_in_transaction_session_timeout = 0")
        key = "pg_catalog.hashtextextended('evervec.migrate', 0)"
        row = holder.execute(f"select pg_catalog.pg_try_advisory_xact_lock({key})").fetchone()
        if row != (True,):
            tell("waiting for another evervec migrate to finish")
            holder.execute(f"select pg_catalog.pg_advisory_xact_lock({key})")
        with _connection(conninfo) as conn:
            yield conn


@contextmanager
def _backend(conninfo: str, break_lock: bool) -> Iterator[Backend]:
    with Backend.connect_to(conninfo) as backend:
        backend.break_lock_row = break_lock
        yield backend


def _recorded(conn: psycopg.Connection) -> dict[str, tuple[str, datetime]]:
    """Migration id → (checksum, applied_at), as the migrations themselves wrote it."""
    if conn.execute("select to_regclass('evervec.schema_version')").fetchone() == (None,):
        return {}
    rows = conn.execute("select migration_id, checksum, applied_at from evervec.schema_version")
    return {migration_id: (text_hash, at) for migration_id, text_hash, at in rows}


def _marked(conn: psycopg.Connection) -> set[str]:
    """Our migrations that yoyo believes applied."""
    if not _has_bookkeeping(conn):
        return set()
    rows = conn.execute(
        r"select migration_id from _yoyo_migration where migration_id like 'evervec\_%'"
    )
    return {migration_id for (migration_id,) in rows}


def _has_bookkeeping(conn: psycopg.Connection) -> bool:
    return conn.execute("select to_regclass('_yoyo_migration')").fetchone() != (None,)


def _status(conn: psycopg.Connection, migrations: Sequence[Any]) -> Status:
    recorded, marked = _recorded(conn), _marked(conn)
    ours = [m.id for m in migrations]
    states = []
    for migration in migrations:
        written, applied_at = recorded.get(migration.id, (None, None))
        text = Path(migration.path).read_text(encoding="utf-8")
        edited = written is not None and written != checksum(text)
        states.append(MigrationState(migration.id, applied_at, edited))
    return Status(
        migrations=tuple(states),
        unknown=tuple(sorted(set(recorded) - set(ours))),
        unmended=tuple(i for i in ours if (i in recorded) != (i in marked)),
    )


def _refuse_unknown(found: Status) -> None:
    """EvervecError when the database has migrations that this package does not have."""
    if found.unknown:
        raise EvervecError(
            "the database is newer than this evervec",
            detail=f"It has {', '.join(found.unknown)}, which this version does not know.",
            hint="Install the newer evervec here.",
        )


def _refuse_edited(found: Status) -> None:
    """EvervecError when a migration was applied from a file with another text than ours."""
    edited = [m.migration_id for m in found.migrations if m.edited]
    if edited:
        raise EvervecError(
            f"the database was migrated with another text of {', '.join(edited)}",
            detail="Released migrations never change; this one was applied before its release.",
            hint="Roll back (evervec rollback --all) and migrate again, or use another database.",
        )


def _mend(
    backend: Backend, conn: psycopg.Connection, migrations: Sequence[Any], tell: Tell
) -> tuple[str, ...]:
    """Make yoyo's marks say what the database says; the migrations whose mark was changed."""
    backend.ensure_internal_schema_updated()
    recorded, marked = _recorded(conn), _marked(conn)
    mended = []
    for migration in migrations:
        if (migration.id in recorded) == (migration.id in marked):
            continue
        if migration.id in recorded:
            tell(f"marking {migration.id}, which was applied by a run that was killed")
            backend.mark_migrations([migration])
        else:
            tell(f"unmarking {migration.id}, which was rolled back by a run that was killed")
            backend.unmark_migrations([migration])
        mended.append(migration.id)
    return tuple(mended)


def _rollback_targets(found: Status, to: str | None, everything: bool) -> tuple[str, ...]:
    newest_first = found.applied[::-1]
    if everything:
        return newest_first
    if to is None:
        return newest_first[:1]
    if to not in newest_first:
        raise EvervecError(
            f"{to} is not an applied migration",
            detail=f"Applied are: {', '.join(found.applied) or 'none'}.",
        )
    return newest_first[: newest_first.index(to)]
