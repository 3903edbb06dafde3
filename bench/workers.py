"""Worker processes, watched from outside: how long they work, and how much memory they take."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

_LOOK_SECONDS = 0.02
_REST_SECONDS = 0.3
_REST_SHARE = 0.4


class Workers:
    """Processes that end by themselves when nothing is left to do, or are stopped."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str], count: int) -> None:
        self._processes = [
            subprocess.Popen(
                command,
                env={**os.environ, **environment},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
            )
            for _ in range(count)
        ]
        self._peaks = [0] * count

    def watch(self, look: Callable[[], None] = lambda: None, limit: float = 600.0) -> int:
        """Until all have ended: the largest peak of a process's resident memory, in bytes.

        look: called again and again meanwhile. RuntimeError when one fails, or after `limit`
        seconds.
        """
        try:
            self.until(self._ended, look, limit)
        finally:
            for process in self._processes:
                process.kill()
        for process in self._processes:
            _, errors = process.communicate()
            if process.returncode != 0:
                raise RuntimeError(f"a worker failed: {errors[-2000:]}")
        return max(self._peaks)

    def until(
        self,
        condition: Callable[[], bool],
        look: Callable[[], None] = lambda: None,
        limit: float = 600.0,
    ) -> None:
        """Look on until the condition holds, or until all have ended. RuntimeError: see watch."""
        give_up = time.monotonic() + limit
        while not condition() and not self._ended():
            for number, process in enumerate(self._processes):
                peak = memory(process.pid, "VmHWM")
                self._peaks[number] = max(self._peaks[number], peak)
            look()
            if time.monotonic() > give_up:
                raise RuntimeError(f"a worker is not done after {limit} s")
            time.sleep(_LOOK_SECONDS)

    def until_at_rest(self) -> None:
        """Until all have loaded what they need, and do nothing but look for work."""
        former = 0.0
        while True:
            time.sleep(_REST_SECONDS)
            now = sum(cpu_seconds(process.pid) for process in self._processes)
            if 0 < now - former < _REST_SHARE * _REST_SECONDS * len(self._processes):
                return
            former = now

    def stop(self) -> None:
        """Tell those to end that would go on."""
        for process in self._processes:
            process.terminate()

    def _ended(self) -> bool:
        return all(process.poll() is not None for process in self._processes)

    def resident(self) -> int:
        """Bytes of memory that the processes take now, together."""
        return sum(memory(process.pid, "VmRSS") for process in self._processes)


def cpu_seconds(pid: int) -> float:
    """What a process has had of a processor so far, in ticks of 10 ms; 0 when it is gone."""
    try:
        fields = Path("/proc", str(pid), "stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory(pid: int, kind: str) -> int:
    """VmRSS (now) or VmHWM (the most so far) of a process in bytes; 0 when it is gone."""
    try:
        status = Path("/proc", str(pid), "status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    lines = (line.split() for line in status.splitlines())
    return next((int(line[1]) * 1024 for line in lines if line[0] == f"{kind}:"), 0)
