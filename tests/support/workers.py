"""`evervec worker` as processes whose log lines can be read, and which can be killed or stopped."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

Line = dict[str, Any]

# How a command tells why it ends, beside its log.
_LAST_WORDS = ("evervec: error: ", "DETAIL: ", "HINT: ")


class Workers:
    """The workers of a test, each with a log of its own in `folder`.

    environment  what all of them get, beside what is no setting of evervec's, OpenAI's or libpq's
    """

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self._folder = folder
        self._started: list[subprocess.Popen[bytes]] = []
        self.environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("EVERVEC_", "OPENAI_", "PG"))
        } | dict(environment)

    def start(self, *arguments: str, **environment: str) -> subprocess.Popen[bytes]:
        """`evervec worker ARGUMENTS`, not waited for."""
        with (self._folder / f"worker-{len(self._started)}.jsonl").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "evervec", "worker", "--json-logs", *arguments],
                env=self.environment | environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=log,
            )
        self._started.append(process)
        return process

    def drain(self, *arguments: str, timeout: float = 60, **environment: str) -> int:
        """`evervec worker --drain` to its end; the exit code."""
        return self.start("--drain", *arguments, **environment).wait(timeout=timeout)

    def die_at(self, failpoint: str, *arguments: str, **environment: str) -> None:
        """A worker that kills itself at a failpoint, to its end."""
        process = self.start(*arguments, EVERVEC_FAILPOINT=failpoint, **environment)
        assert process.wait(timeout=30) == -signal.SIGKILL, self.said

    def stop(self, process: subprocess.Popen[bytes]) -> int:
        """SIGTERM, and its exit code."""
        process.terminate()
        return process.wait(timeout=60)

    @property
    def said(self) -> list[Line]:
        """All lines of all workers; one that is neither JSON nor a last word fails the test."""
        lines = []
        for path in sorted(self._folder.glob("worker-*.jsonl")):
            for line in path.read_text().splitlines():
                if line.startswith(_LAST_WORDS):
                    continue
                try:
                    lines.append(dict(json.loads(line)))
                except ValueError as error:
                    raise AssertionError(f"{path.name}: {line}") from error
        return lines

    def kill_all(self) -> None:
        """Whatever still runs."""
        for process in self._started:
            process.kill()
            process.wait()


@contextmanager
def workers(folder: Path, environment: Mapping[str, str]) -> Iterator[Workers]:
    """Workers that do not outlive the block."""
    found = Workers(folder, environment)
    try:
        yield found
    finally:
        found.kill_all()
