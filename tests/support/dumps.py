"""A database as a DBA moves it: dumped by the server's own pg_dump, restored on the other side."""

from __future__ import annotations

import subprocess

from psycopg.conninfo import conninfo_to_dict, make_conninfo

from evervec import embedded
from tests.support import debian


def copy(source: str, target: str) -> None:
    """Dump one database and restore it into another, an empty one; URLs of superusers."""
    dump = subprocess.run(_client("pg_dump", source), stdout=subprocess.PIPE, check=True).stdout
    subprocess.run(
        [*_client("psql", target), "--set=ON_ERROR_STOP=1", "--quiet"],
        input=dump,
        stdout=subprocess.DEVNULL,
        check=True,
    )


def _client(name: str, url: str) -> list[str]:
    """A program of the version that serves this URL: an older one may not know its catalogs."""
    root, socket = debian.folder(), str(conninfo_to_dict(url)["host"])
    if root is None or not socket.startswith(str(root)):
        return [str(embedded.program(name)), f"--dbname={url}"]
    inside = make_conninfo(url, host=socket.removeprefix(str(root)))
    return debian.inside(root, f"{debian.PROGRAMS}/{name}", f"--dbname={inside}")
