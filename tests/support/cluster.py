"""One PostgreSQL for a whole test run, and databases on it that appear in 15 ms.

The server is embedded and thrown away afterwards; EVERVEC_TEST_URL names a superuser's URL on
another server to run the suite there (PostgreSQL 15 or newer, with pgvector), EVERVEC_TEST_DEBIAN
the folder of a Debian that has one (tools/trixie).
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from pytest_postgresql.janitor import DatabaseJanitor

from evervec import embedded, migrate
from evervec.errors import EvervecError
from tests.support import debian

OWNER = "evervec_owner"

# Nothing here outlives the run, so nothing needs to reach the disk.
SETTINGS = {
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "max_connections": "200",
    "max_prepared_transactions": "10",
    "shared_buffers": "128MB",
    "max_wal_size": "4GB",
    "log_min_messages": "fatal",
}

# Processes are killed, the machine is not: the operating system keeps what was written, but a
# commit has to be written before it is reported.
CRASHED_SETTINGS = SETTINGS | {"synchronous_commit": "on", "full_page_writes": "on"}

_FOLDER = re.compile(r"evervec-tests-(\d+)-")
_MEMORY, _ROOM = Path("/dev/shm"), 4 * 1024**3  # noqa: S108 - a folder of a name of its own in it


@dataclass(frozen=True)
class Database:
    """A database of one test: its name, and how its owner and the superuser get in."""

    name: str
    url: str
    superuser_url: str


@dataclass(frozen=True)
class Cluster:
    """The server of this run; run_id tells its databases from those of other runs."""

    superuser_url: str
    run_id: str

    def url(self, database: str, user: str | None = None) -> str:
        """A libpq URL, which yoyo understands too when its scheme is replaced."""
        parameters = dict(conninfo_to_dict(self.superuser_url))
        if user is not None:
            parameters |= {"user": user, "password": user}
        parameters.pop("dbname", None)
        query = "&".join(f"{k}={quote(str(v), safe='')}" for k, v in parameters.items())
        return f"postgresql:///{quote(database, safe='')}?{query}"

    @contextmanager
    def connect(self, database: str = "postgres") -> Iterator[psycopg.Connection]:
        """A superuser's connection, autocommit."""
        with psycopg.connect(self.url(database), autocommit=True) as conn:
            yield conn

    def template(self) -> str:
        """The migrated database that tests clone; made by whichever process asks first."""
        name = f"evervec_template_{self.run_id}"
        with self.connect() as conn, conn.transaction():
            conn.execute("select pg_advisory_xact_lock(hashtext(%s))", [name])
            if conn.execute("select from pg_database where datname = %s", [name]).rowcount == 0:
                self._create_template(name)
        return name

    @contextmanager
    def database(self, template: str, name: str | None = None) -> Iterator[Database]:
        """A database cloned from the template, owned by OWNER, dropped afterwards."""
        name = name or f"evervec_test_{uuid.uuid4().hex}"
        self._create(name, template)
        try:
            yield Database(name, self.url(name, OWNER), self.url(name))
        finally:
            with self.connect() as conn:
                conn.execute(f"drop database if exists {name} with (force)")

    @contextmanager
    def bare_database(self, extension_schema: str | None = "public") -> Iterator[Database]:
        """A database without evervec; pgvector in the named schema, or nowhere."""
        with self.database("template1") as database:
            if extension_schema is not None:
                schema = sql.Identifier(extension_schema)
                with self.connect(database.name) as conn:
                    conn.execute("set client_min_messages = warning")
                    conn.execute(sql.SQL("create schema if not exists {}").format(schema))
                    conn.execute(sql.SQL("create extension vector schema {}").format(schema))
                    conn.execute(sql.SQL("grant usage on schema {} to public").format(schema))
            yield database

    def _create(self, name: str, template: str) -> None:
        with self.connect() as conn:
            conn.execute(
                f"create database {name} owner {OWNER} template {template} strategy file_copy"
            )

    def _create_template(self, name: str) -> None:
        janitor = self._janitor(name)
        janitor.init()
        try:
            janitor.load(self._migrate_template)
        except BaseException:
            janitor.drop()
            raise

    def _migrate_template(self, *, dbname: str, **_: object) -> None:
        with self.connect() as conn:
            conn.execute(f"alter database {dbname} owner to {OWNER}")
        with self.connect(dbname) as conn:
            conn.execute("create extension vector")
        migrate.apply(self.url(dbname, OWNER))
        with self.connect() as conn:
            conn.execute(f"alter database {dbname} allow_connections false")

    def _janitor(self, name: str) -> DatabaseJanitor:
        with self.connect() as conn:
            info = conn.info
            return DatabaseJanitor(
                user=info.user,
                host=info.host,
                port=info.port,
                password=info.password or None,
                dbname=name,
                as_template=True,
            )

    def drop_template(self) -> None:
        """Remove what this run left on a server that outlives it."""
        self._janitor(f"evervec_template_{self.run_id}").drop()


@contextmanager
def running_cluster() -> Iterator[Cluster]:
    """The server of EVERVEC_TEST_URL, or one for the time of the block: Debian's or embedded."""
    run_id = uuid.uuid4().hex[:12]
    external, root = os.environ.get("EVERVEC_TEST_URL"), debian.folder()
    if external:
        cluster = Cluster(external, run_id)
        _create_owner(cluster)
        try:
            yield cluster
        finally:
            cluster.drop_template()
        return
    with debian.running_server(root, SETTINGS) if root else _running_embedded() as url:
        cluster = Cluster(url, run_id)
        _create_owner(cluster)
        yield cluster


@contextmanager
def _running_embedded() -> Iterator[str]:
    _remove_leftovers()
    with _data_dir() as data_dir:
        yield embedded.start(data_dir, SETTINGS).url("postgres", embedded.SUPERUSER)


@dataclass(frozen=True)
class OwnCluster:
    """A server that may be crashed: what is committed there survives, as it does in production."""

    cluster: Cluster
    data_dir: Path

    def crash(self) -> None:
        """Immediate shutdown: every process of the server ends at once, nothing is flushed."""
        result = embedded.pg_ctl(self.data_dir, "stop", "-w", "-m", "immediate")
        assert result.returncode == 0, result.stdout

    def start(self) -> None:
        """Start it again; returns when recovery is through."""
        embedded.start(self.data_dir, CRASHED_SETTINGS)


@contextmanager
def running_own_cluster() -> Iterator[OwnCluster]:
    """An embedded server of one's own for the time of the block."""
    with _data_dir() as data_dir:
        server = embedded.start(data_dir, CRASHED_SETTINGS)
        cluster = Cluster(server.url("postgres", embedded.SUPERUSER), uuid.uuid4().hex[:12])
        _create_owner(cluster)
        yield OwnCluster(cluster, data_dir)


@contextmanager
def running_standby(primary: OwnCluster) -> Iterator[Cluster]:
    """A hot standby of a server for the time of the block; see await_replay."""
    with _data_dir() as data_dir:
        info = conninfo_to_dict(primary.cluster.superuser_url)
        address = make_conninfo(host=info["host"], port=info["port"], user=embedded.SUPERUSER)
        options = ("-R", "-X", "stream", "-c", "fast", "-D", str(data_dir), "-d", address)
        subprocess.run(
            [str(embedded.program("pg_basebackup")), *options], check=True, capture_output=True
        )
        for lock in data_dir.glob(".s.PGSQL.*"):  # the primary's socket is in its data folder
            lock.unlink()
        if os.geteuid() == 0:
            owner = primary.data_dir.stat()
            for path in (data_dir, *data_dir.rglob("*")):
                os.chown(path, owner.st_uid, owner.st_gid)
        server = embedded.start(data_dir, CRASHED_SETTINGS)
        standby = Cluster(server.url("postgres", embedded.SUPERUSER), primary.cluster.run_id)
        end = time.monotonic() + 30
        while True:
            try:
                with standby.connect():
                    break
            except psycopg.OperationalError:  # it is starting up
                if time.monotonic() > end:
                    raise
        yield standby


def await_replay(primary: psycopg.Connection, standby: psycopg.Connection) -> None:
    """Return when the standby has replayed all that the primary has written."""
    found = primary.execute("select pg_current_wal_lsn()").fetchone()
    assert found is not None
    end = time.monotonic() + 30
    while True:
        done = standby.execute("select pg_last_wal_replay_lsn() >= %s", found).fetchone()
        if done == (True,):
            return
        assert time.monotonic() < end, "the standby does not follow"


@contextmanager
def _data_dir() -> Iterator[Path]:
    """The folder of a server's data, which is stopped and removed after the block.

    In memory where there is room: on a disk, the 400 files of a new database can take a second.
    """
    in_memory = _MEMORY.is_dir() and shutil.disk_usage(_MEMORY).free > _ROOM
    folder = Path(
        tempfile.mkdtemp(prefix=f"evervec-tests-{os.getpid()}-", dir=_MEMORY if in_memory else None)
    )
    try:
        yield folder / "pgdata"
    finally:
        embedded.stop(folder / "pgdata")
        shutil.rmtree(folder)


def _create_owner(cluster: Cluster) -> None:
    with cluster.connect() as conn:
        if conn.execute("select from pg_roles where rolname = %s", [OWNER]).rowcount == 0:
            conn.execute(f"create role {OWNER} login nosuperuser nocreatedb password '{OWNER}'")


def _remove_leftovers() -> None:
    """Stop and remove servers of test runs that were killed."""
    places = (_MEMORY, Path(tempfile.gettempdir()))
    for folder in (found for place in places for found in place.glob("evervec-tests-*")):
        match = _FOLDER.match(folder.name)
        if match and os.access(folder, os.W_OK) and not Path(f"/proc/{match[1]}").exists():
            # Another run may be removing the same one: whoever is second finds less and less of it.
            with suppress(EvervecError, OSError):
                embedded.stop(folder / "pgdata")
            shutil.rmtree(folder, ignore_errors=True)
