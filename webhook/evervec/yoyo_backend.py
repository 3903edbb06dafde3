"""yoyo's PostgreSQL backend with a lock that a killed process cannot leave behind.

yoyo locks by a row in yoyo_lock, which stays when its process is killed. Whoever uses this backend
holds evervec's advisory lock too (`evervec.migrate`), and marks its row with a negative pid:

negative pid   written by evervec. Its writer held the advisory lock, which we hold now, so the
               writer is gone: the row is broken at once.
positive pid   written by yoyo itself. Waited for; broken when no session in this database is old
               enough to be its writer's, or when the caller says so.

Everything else, the bookkeeping above all, is yoyo's own.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from psycopg.conninfo import conninfo_to_dict
from yoyo.backends.core.postgresql import PostgresqlPsycopgBackend
from yoyo.connections import DatabaseURI
from yoyo.migrations import default_migration_table

from evervec.errors import EvervecError

POLL_SECONDS = 0.5
OUR_NAME = "evervec migrate"  # the application_name of every session of ours

# Sessions that may be the one that wrote the lock row. The clocks of client and server may differ
# by a minute, and of other people's sessions one may not see the start (it is NULL): such count.
# Sessions of evervec do not: one at a time has the advisory lock, and its rows are negative.
_POSSIBLE_HOLDERS = """
    select count(*)
      from pg_catalog.pg_stat_activity
     where datid = (select oid from pg_catalog.pg_database where datname = current_database())
       and application_name is distinct from %(ours)s
       and coalesce(backend_type, 'client backend') = 'client backend'
       and coalesce(backend_start < %(ctime)s + interval '1 minute', true)
"""

_OTHER_PROJECTS = r"""
    select (select count(*) from _yoyo_migration)
         + (select count(*) from _yoyo_log where migration_id not like 'evervec\_%')
"""

_TAKE_LOCK = """
    insert into yoyo_lock (locked, ctime, pid) values (1, :ctime, :pid) on conflict do nothing
"""

_BOOKKEEPING = ("_yoyo_migration", "_yoyo_log", "_yoyo_version", "yoyo_lock")


class Backend(PostgresqlPsycopgBackend):
    """One connection to a database, and yoyo's way of applying migrations through it.

    drop_vectors    rollbacks may drop tables that hold vectors (`evervec.drop_vectors`)
    break_lock_row  break whatever lock row stands in the way, without waiting
    """

    _is_locked: bool
    drop_vectors = False
    break_lock_row = False

    @classmethod
    def connect_to(cls, conninfo: str) -> Backend:
        """Connect as libpq would ("" means PG*); create yoyo's tables where they are missing."""
        parameters: dict[str, object] = dict(conninfo_to_dict(conninfo))
        # Behind PgBouncer a statement prepared in one transaction is gone in the next.
        parameters["prepare_threshold"] = None
        parameters["application_name"] = OUR_NAME
        database = parameters.pop("dbname", None)
        address = DatabaseURI("postgresql+psycopg", None, None, None, None, database, parameters)
        backend = cls(address, default_migration_table)
        backend.init_database()
        return backend

    def copy(self) -> Backend:
        """A further connection, on which yoyo runs the steps of a migration."""
        twin: Backend = super().copy()
        twin.drop_vectors = self.drop_vectors
        return twin

    def begin(self) -> None:
        """Begin a transaction; what a rollback may drop is said inside it, for poolers' sake."""
        super().begin()
        if self.drop_vectors:
            self.execute("set local evervec.drop_vectors = 'on'")

    @contextmanager
    def lock(self, timeout: float = 30.0) -> Iterator[None]:
        """Hold the lock row for the block; wait at most `timeout` seconds for yoyo's own."""
        if self._is_locked:
            yield
            return
        pid = -os.getpid()
        self._take_lock_row(pid, timeout)
        self._is_locked = True
        try:
            yield
        finally:
            self._is_locked = False
            if self._exists(self.lock_table):
                self._delete_lock_row(pid)

    def drop_bookkeeping(self) -> None:
        """Drop yoyo's own tables, unless migrations of another project are recorded in them."""
        others = self.connection.execute(_OTHER_PROJECTS).fetchone()[0]  # it holds a bare %
        if others == 0:
            with self.transaction():
                for table in _BOOKKEEPING:
                    self.execute(f"drop table if exists {self.quote_identifier(table)}")

    def _take_lock_row(self, pid: int, timeout: float) -> None:
        deadline = time.monotonic() + timeout
        while not self._insert_if_free(pid):
            row = self.execute("select pid, ctime from yoyo_lock").fetchone()
            if row is None:
                continue
            holder, since = row[0], row[1].replace(tzinfo=UTC)
            if holder < 0 or self.break_lock_row or self._holder_is_gone(since):
                self._delete_lock_row(holder)
            elif time.monotonic() >= deadline:
                raise EvervecError(
                    f"yoyo process {holder} has locked this database since {since:%F %T} UTC",
                    detail="Other sessions are open in this database, one of which may be its.",
                    hint="Wait for it; or, if it was killed, run again with --break-lock.",
                )
            else:
                time.sleep(POLL_SECONDS)

    def _insert_if_free(self, pid: int) -> bool:
        with self.transaction():
            now = datetime.now(UTC).replace(tzinfo=None)  # yoyo keeps times in UTC, without zone
            cursor = self.execute(_TAKE_LOCK, {"ctime": now, "pid": pid})
        return bool(cursor.rowcount == 1)

    def _holder_is_gone(self, since: datetime) -> bool:
        parameters = {"ours": OUR_NAME, "ctime": since}
        cursor = self.connection.execute(_POSSIBLE_HOLDERS, parameters)
        return bool(cursor.fetchone()[0] == 0)

    def _exists(self, table: str) -> bool:
        found = self.execute("select to_regclass(:name)", {"name": self.quote_identifier(table)})
        return found.fetchone()[0] is not None
