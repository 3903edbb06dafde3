"""PostgreSQL 17 as Debian 13 packages and configures it, in the folder that tools/trixie makes."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import psycopg

from tools.chain import ROOT

# Where the folder is, for the processes of pytest-xdist too; unset: the suite runs elsewhere.
FOLDER_VARIABLE = "EVERVEC_TEST_DEBIAN"
START_SECONDS = 30
PROGRAMS = "/usr/lib/postgresql/17/bin"

# In a mount namespace of its own: configuration and data are in memory, and are gone with the
# server, which ends with the process that started it.
_START = f"""
folder=$1 settings=$2
shift 2
mount -t tmpfs tmpfs "$folder/etc/postgresql"
mount -t tmpfs tmpfs "$folder/var/lib/postgresql"
chroot "$folder" pg_createcluster --locale=C.UTF-8 17 main -- --auth=trust
cp "$settings" "$folder/etc/postgresql/17/main/conf.d/"
exec chroot --userspec=postgres:postgres "$folder" setpriv --pdeathsig=INT \\
    {PROGRAMS}/postgres --config-file=/etc/postgresql/17/main/postgresql.conf "$@"
"""


def folder() -> Path | None:
    """Debian's root, when this run is on its server."""
    name = os.environ.get(FOLDER_VARIABLE)
    return Path(name).absolute() if name else None


def inside(root: Path, *command: str) -> list[str]:
    """The command line that runs a command there as Debian's user postgres."""
    return ["chroot", "--userspec=postgres:postgres", str(root), *command]


@contextmanager
def running_server(root: Path, settings: Mapping[str, str]) -> Iterator[str]:
    """The URL of the superuser on a new cluster, for the time of the block.

    It is made as Debian makes one, with deploy/debian-13/evervec.conf as docs/deployment says. It
    listens on a socket below the folder, which nobody but root may enter.
    """
    place = Path(tempfile.mkdtemp(prefix="run-", dir=root / "tmp"))
    place.chmod(0o777)
    log = place / "server.log"
    options = {
        "unix_socket_directories": f"/tmp/{place.name}",  # noqa: S108 - the folder's own /tmp
        "listen_addresses": "",
        **settings,
    }
    server = subprocess.Popen(
        [
            *("unshare", "--mount", "sh", "-euc", _START, "start"),
            *(root, ROOT / "deploy/debian-13/evervec.conf"),
            *(f"--{name}={value}" for name, value in options.items()),
        ],
        stdin=subprocess.DEVNULL,
        stdout=log.open("w"),
        stderr=subprocess.STDOUT,
    )
    try:
        yield url_when_up(place, server, log)
    finally:
        server.send_signal(signal.SIGINT)  # a fast shutdown
        server.wait()
        shutil.rmtree(place)


def url_when_up(socket: Path, server: subprocess.Popen[bytes], log: Path) -> str:
    """The superuser's URL on a server that is starting, once it answers."""
    url = f"postgresql://postgres@/postgres?host={socket}&port=5432"
    end = time.monotonic() + START_SECONDS
    while True:
        try:
            psycopg.connect(url).close()
        except psycopg.OperationalError as error:
            if server.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"Debian's server does not start:\n{log.read_text()}") from error
            time.sleep(0.05)
        else:
            return url
