"""Connections: how they are made, shared and given back, and what their errors are called.

Works behind PgBouncer in transaction mode: nothing depends on the session (no prepared statements,
no SET, no session locks), and every call is one short READ COMMITTED transaction, whatever the
server's default is.
"""

from __future__ import annotations

import select
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any, LiteralString, Self, TypeVar

import psycopg
from pgvector.psycopg.vector import register_vector_info
from psycopg.rows import DictRow, class_row, dict_row, scalar_row
from psycopg.types import TypeInfo
from psycopg_pool import ConnectionPool, PoolTimeout

from evervec.errors import EvervecError

Connection = psycopg.Connection[DictRow]
T = TypeVar("T")

# pgvector may live in any schema, and no search_path can be relied upon: the type is found through
# its extension.
_VECTOR_TYPE = """
    select t.oid, t.typarray
      from pg_catalog.pg_type t
      join pg_catalog.pg_depend d
        on d.classid = 'pg_catalog.pg_type'::pg_catalog.regclass and d.objid = t.oid
      join pg_catalog.pg_extension e
        on d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass and d.refobjid = e.oid
     where e.extname = 'vector' and t.typname = 'vector' and d.deptype = 'e'
"""


class DatabaseUnavailableError(EvervecError):
    """No usable connection: the server is down, unreachable, full, or hung up.

    Try again later.
    """


class Session:
    """A small pool of connections, and the ways to call a function through it."""

    def __init__(
        self,
        conninfo: str = "",
        *,
        connect_timeout: int = 5,
        max_size: int = 6,
        application_name: str = "evervec",
    ) -> None:
        self._conninfo = conninfo
        self._connect_timeout = connect_timeout
        self._max_size = max_size
        self._application_name = application_name
        self._pool: ConnectionPool[Connection] | None = None
        self._opening = threading.Lock()
        self._building: Connection | None = None

    # -- connections -----------------------------------------------------------------------------

    def open(self) -> Self:
        """Connect, or raise DatabaseUnavailableError within connect_timeout seconds."""
        # The pool would try in the background and in the end say only that it took too long; a
        # first connection of our own tells the reason at once.
        self._probe()
        self._pool = ConnectionPool(
            self._conninfo,
            connection_class=psycopg.Connection[DictRow],
            kwargs=self._options(),
            min_size=1,
            max_size=self._max_size,
            timeout=self._connect_timeout,
            reconnect_timeout=self._connect_timeout,
            check=_check,
            configure=_configure,
            open=True,
            name="evervec",
        )
        return self

    def connect(self) -> Self:
        """Open, unless it is open: a server that went away meanwhile is found again by itself."""
        with self._opening:
            return self if self._pool is not None else self.open()

    def close(self) -> None:
        """Give every connection back to the server."""
        if self._pool is not None:
            self._pool.close()
            self._pool = None

    def reopen(self) -> None:
        """Connect anew after DatabaseUnavailableError, or raise it again."""
        self.close()
        self.open()

    def __enter__(self) -> Self:
        return self.open()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _options(self) -> dict[str, Any]:
        return {
            "autocommit": True,
            "prepare_threshold": None,
            "row_factory": dict_row,
            "connect_timeout": self._connect_timeout,
            "application_name": self._application_name,
        }

    def _probe(self) -> None:
        try:
            psycopg.connect(self._conninfo, **self._options()).close()
        except psycopg.Error as error:
            raise _translated(error, connecting=True) from error

    @contextmanager
    def _connection(self) -> Iterator[Connection]:
        """A connection outside any transaction, errors translated."""
        if self._pool is None:
            raise DatabaseUnavailableError("the database connection is closed")
        try:
            with self._pool.connection() as connection:
                yield connection
        except PoolTimeout:
            self._probe()
            raise DatabaseUnavailableError("no database connection became free in time") from None
        except psycopg.Error as error:
            raise _translated(error) from error

    @contextmanager
    def _transaction(self) -> Iterator[Connection]:
        with self._connection() as connection, connection.transaction():
            yield connection

    def _rows(self, record: type[T], sql: LiteralString, *parameters: object) -> list[T]:
        with (
            self._transaction() as connection,
            connection.cursor(row_factory=class_row(record)) as cursor,
        ):
            return cursor.execute(sql, parameters).fetchall()

    def _row(self, record: type[T], sql: LiteralString, *parameters: object) -> T:
        rows = self._rows(record, sql, *parameters)
        if len(rows) != 1:
            raise EvervecError(
                f"the database answered {len(rows)} rows where one was expected", detail=sql
            )
        return rows[0]

    def _value(self, sql: LiteralString, *parameters: object) -> Any:
        with self._transaction() as connection, connection.cursor(row_factory=scalar_row) as cursor:
            return cursor.execute(sql, parameters).fetchone()


def _check(connection: Connection) -> None:
    """Whether a pooled connection still stands. A round trip each time would cost more than most
    calls: a server that went away has closed its end, and a closed end has something to read.
    """
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN)
    if poll.poll(0):
        ConnectionPool.check_connection(connection)


def _configure(connection: Connection) -> None:
    """Prepare a fresh connection: isolation, and pgvector's types where it is installed."""
    connection.isolation_level = psycopg.IsolationLevel.READ_COMMITTED
    row = connection.execute(_VECTOR_TYPE).fetchone()
    if row is not None:
        register_vector_info(connection, TypeInfo("vector", row["oid"], row["typarray"]))


def _translated(error: psycopg.Error, *, connecting: bool = False) -> EvervecError:
    """The error as the package knows it, with the next step where the server cannot name it."""
    plain = EvervecError.from_psycopg(error)
    state = error.sqlstate or ""
    if connecting or _is_hang_up(error):
        return DatabaseUnavailableError(
            f"cannot reach the database: {plain.message}"
            if connecting
            else f"lost the database: {plain.message}",
            plain.detail,
            plain.hint
            or (
                "Check EVERVEC_DATABASE_URL (or libpq's PGHOST, PGPORT, …)." if connecting else None
            ),
            plain.sqlstate,
        )
    if (state == "3F000" and '"evervec"' in plain.message) or (
        state == "42P01" and '"evervec.' in plain.message
    ):
        return EvervecError(
            "evervec is not installed in this database",
            hint="Run: evervec migrate",
            sqlstate=state,
        )
    if state == "42883" and "evervec." in plain.message:
        return EvervecError(
            "the evervec in this database is older than this program",
            detail=plain.message,
            hint="Run: evervec migrate",
            sqlstate=state,
        )
    if not state and isinstance(error, psycopg.DataError):
        # Found before it was sent, such as a NUL in a text: as the server would call it.
        return EvervecError(plain.message, hint=plain.hint, sqlstate="22021")
    if state == "42501" and "schema evervec" in plain.message:
        return EvervecError(
            plain.message,
            detail=plain.detail,
            hint="Connect as the owner of the database, or as a role that may use evervec.",
            sqlstate=state,
        )
    return plain


def _is_hang_up(error: psycopg.Error) -> bool:
    state = error.sqlstate
    if state is None:
        return isinstance(error, (psycopg.OperationalError, psycopg.InterfaceError))
    # 08: connection exceptions; 57P: the server stops or starts; 53300: no connection slot is left.
    return state.startswith(("08", "57P")) or state == "53300"
