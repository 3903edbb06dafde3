"""The server that the benchmarks measure on: their own, embedded, thrown away afterwards."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, LiteralString

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from evervec import embedded, migrate
from tests.support import debian

ROOT = Path(__file__).resolve().parents[1]
WORK = ROOT / ".bench"
SQL = Path(__file__).resolve().parent / "sql"

# Durable as by default; memory and WAL so that no checkpoint falls into a measurement.
SETTINGS = {
    "shared_buffers": "1GB",
    "max_wal_size": "8GB",
    "min_wal_size": "4GB",
    "checkpoint_timeout": "1h",
    "autovacuum": "off",
    "log_min_messages": "fatal",
}

# The model of every source here; its vectors are made up.
MODEL = "bench"
DIMENSIONS = 384


@dataclass(frozen=True)
class Server:
    """A running server with one migrated database; the owner of that database is no superuser."""

    embedded: embedded.EmbeddedServer
    settings: Mapping[str, str]

    @property
    def url(self) -> str:
        """The URL of the database as its owner, who also plays the application."""
        return self.embedded.url()

    @property
    def superuser_url(self) -> str:
        """The URL of the database as the superuser, who sets the stage."""
        return self.embedded.url(embedded.DATABASE, embedded.SUPERUSER)

    def connect(self) -> psycopg.Connection:
        """The owner's connection, autocommit."""
        return psycopg.connect(self.url, autocommit=True)

    def connect_superuser(self) -> psycopg.Connection:
        """The superuser's connection, autocommit, which fires no trigger: it sets the stage."""
        conn = psycopg.connect(self.superuser_url, autocommit=True)
        conn.execute("set session_replication_role = replica")
        return conn


@contextmanager
def running_server(**settings: str) -> Iterator[Server]:
    """A fresh server with evervec and the model MODEL, for the time of the block.

    settings: server parameters beside SETTINGS, or instead of them.
    """
    WORK.mkdir(exist_ok=True)
    _remove_leftovers()
    folder = Path(tempfile.mkdtemp(prefix=f"server-{os.getpid()}-", dir=WORK))
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    try:
        settings = SETTINGS | settings
        yield _prepared(embedded.start(folder / "pgdata", settings), settings)
    finally:
        embedded.stop(folder / "pgdata")
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def running_debian(root: Path, **settings: str) -> Iterator[Server]:
    """The same on PostgreSQL 17 of a folder that tools/trixie made: its data is in memory."""
    settings = SETTINGS | settings
    with debian.running_server(root, settings) as url:
        socket = Path(str(conninfo_to_dict(url)["host"]))
        yield _prepared(embedded.EmbeddedServer(root, socket), settings)


def _prepared(started: embedded.EmbeddedServer, settings: Mapping[str, str]) -> Server:
    """It, with evervec and the model MODEL."""
    migrate.apply(embedded.prepare(started))
    server = Server(started, settings)
    with server.connect() as conn:
        conn.execute("select evervec.add_model(%s, 'none', %s)", [MODEL, DIMENSIONS])
    return server


def _remove_leftovers() -> None:
    """Stop and remove the servers of benchmarks that were killed."""
    for folder in WORK.glob("server-*"):
        if not Path("/proc", folder.name.split("-")[1]).exists():
            embedded.stop(folder / "pgdata")
            shutil.rmtree(folder, ignore_errors=True)


def script(name: str, **names: sql.Composable) -> sql.Composed:
    """The text of a file of bench/sql, {holes} filled with identifiers."""
    text = (SQL / name).read_text()
    return sql.SQL(text).format(**names)


def scalar(conn: psycopg.Connection, query: sql.SQL | sql.Composed | LiteralString) -> Any:
    """The first column of the only row."""
    row = conn.execute(query).fetchone()
    if row is None:
        raise LookupError("the query gave no row")
    return row[0]


def versions(conn: psycopg.Connection) -> dict[str, str]:
    """PostgreSQL and pgvector."""
    return {
        "PostgreSQL": scalar(conn, "show server_version"),
        "pgvector": scalar(conn, "select extversion from pg_extension where extname = 'vector'"),
    }
