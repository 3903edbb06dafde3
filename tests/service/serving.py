"""`evervec serve` as a process: its address, its log, and how to end it."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from tests.support.openai_server import DIMENSIONS, OpenAIServer


@dataclass
class Serving:
    """A webhook that runs.

    headers  a token of scope admin, which is also the scheduler's secret
    """

    process: subprocess.Popen[bytes]
    log: Path
    address: str
    headers: dict[str, str]

    @property
    def said(self) -> list[dict[str, Any]]:
        """The lines of its log; one that is no JSON fails the test."""
        return [json.loads(line) for line in self.log.read_text().splitlines()]

    def events(self, name: str) -> list[dict[str, Any]]:
        return [line for line in self.said if line["event"] == name]

    def stop(self) -> int:
        """SIGTERM, and its exit code."""
        self.process.terminate()
        return self.process.wait(timeout=60)


@contextmanager
def serving(
    url: str, log: Path, api: OpenAIServer, *arguments: str, **environment: str
) -> Iterator[Serving]:
    """`evervec serve ARGUMENTS` on the database, its models computed by `api`."""
    with psycopg.connect(url, autocommit=True) as conn:
        row = conn.execute("select evervec.create_token('serving', '{admin}')").fetchone()
    token = str(row[0]) if row else ""
    known = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("EVERVEC_", "OPENAI_", "PG"))
    }
    with log.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "evervec", "serve", "--port", "0", "--json-logs", *arguments],
            env=known
            | {
                "EVERVEC_DATABASE_URL": url,
                "EVERVEC_CRON_SECRET": token,
                "EVERVEC_LEASE_SECONDS": "1",
                "OPENAI_BASE_URL": api.url,
                "OPENAI_API_KEY": "sk-test",
            }
            | environment,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            start_new_session=True,
        )
    try:
        yield Serving(process, log, _address(process, log), {"Authorization": f"Bearer {token}"})
    finally:
        # Its children too: one that was cut off from its parent would go on.
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _address(process: subprocess.Popen[bytes], log: Path) -> str:
    """Where it listens, once it does."""
    give_up = time.monotonic() + 30
    while time.monotonic() < give_up and process.poll() is None:
        if found := re.search(r'"event": "serving", "address": "([^"]+)"', log.read_text()):
            return found[1]
        time.sleep(0.02)
    raise AssertionError(f"it does not serve: {log.read_text()}")


def track_notes(conn: psycopg.Connection, rows: int) -> None:
    """A table of so many notes, tracked under a model of the OpenAI-wire server."""
    conn.execute("select evervec.add_model('wire', 'openai', %s)", [DIMENSIONS])
    conn.execute("create table note (id int primary key, body text)")
    conn.execute("insert into note select g, 'note ' || g from generate_series(1, %s) g", [rows])
    conn.execute("select evervec.track('note', '{body}', p_model => 'wire')")
    conn.execute("select evervec.add_filter('note', 'above', 'id > p_id', '{p_id integer}')")
    conn.execute("select evervec.rotate_secret()")
