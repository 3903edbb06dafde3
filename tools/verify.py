"""Verify that the migrations are sound and are what sql/ is: `make verify`.

First the files alone: linear chain, rollbacks, checksums, released ones untouched, statements that
yoyo does not tear, sql/ frozen. Then, on an embedded server that is thrown away: the migrations
apply as a role without superuser, and replaying sql/ over them leaves the schema dump as it is.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import psycopg

from evervec import embedded, migrate
from evervec.errors import EvervecError
from tools.chain import ROOT, ChainError, read_chain
from tools.drift import drift
from tools.lint import faults

THROWAWAY = {"fsync": "off", "full_page_writes": "off"}


def main(arguments: Sequence[str] | None = None, root: Path = ROOT) -> int:
    """Run as a command; 0 when everything holds."""
    parser = argparse.ArgumentParser(prog="tools/verify", description=__doc__)
    parser.add_argument("--files", action="store_true", help="check the files only, no server")
    options = parser.parse_args(arguments)
    try:
        found = faults(root) or ([] if options.files else server_faults(root))
    except (ChainError, EvervecError, psycopg.Error) as error:
        found = [str(error)]
    for fault in found:
        print(f"tools/verify: {fault}", file=sys.stderr)
    if not found:
        print(f"{len(read_chain(root / 'migrations'))} migrations verified, in step with sql/")
    return 1 if found else 0


def server_faults(root: Path) -> list[str]:
    """Apply the migrations to a server of our own and look for drift."""
    with tempfile.TemporaryDirectory(prefix="evervec-verify-") as folder:
        data_dir = Path(folder) / "pgdata"
        server = embedded.start(data_dir, THROWAWAY)
        try:
            url = embedded.prepare(server)
            migrate.apply(url)
            changes = drift(url, root / "sql")
        finally:
            embedded.stop(data_dir)
    return [f"replaying sql/ changes the schema:\n{''.join(changes)}"] if changes else []


if __name__ == "__main__":
    sys.exit(main())
