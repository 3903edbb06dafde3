"""Programs as people run them: yoyo's own command, and evervec in a process that can be killed."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping

from tools.chain import ROOT

# A step commits, then yoyo logs it, then marks it. Dying in the log call number `nth` leaves what a
# SIGKILL leaves that falls between a step and its mark.
_DIE_AT = """
import os, signal, sys
from yoyo.backends.base import DatabaseBackend

calls = 0
log_migration = DatabaseBackend.log_migration

def dying(self, migration, operation):
    global calls
    calls += operation in ("apply", "rollback")
    if calls == int(sys.argv[1]):
        os.kill(os.getpid(), signal.SIGKILL)
    log_migration(self, migration, operation)

DatabaseBackend.log_migration = dying
"""

_YOYO_MAIN = """
from yoyo.scripts.main import main
main(sys.argv[2:])
"""

_EVERVEC_MAIN = """
from evervec import migrate
action, url = sys.argv[2:]
if action == "apply":
    migrate.apply(url)
else:
    migrate.rollback(url, everything=True, drop_vectors=True)
"""


def yoyo_url(url: str) -> str:
    """The URL as yoyo wants it for psycopg 3."""
    return url.replace("postgresql://", "postgresql+psycopg://", 1)


def yoyo(
    action: str, url: str, *options: str, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run `yoyo ACTION --database URL`, with the sources of yoyo.ini."""
    return finished(start_yoyo(action, url, *options, environment=environment))


def start_yoyo(
    action: str, url: str, *options: str, environment: Mapping[str, str] | None = None
) -> subprocess.Popen[str]:
    """The same, not waited for."""
    command = [sys.executable, "-m", "yoyo", action, "--database", yoyo_url(url), *options]
    return _start(command, environment)


def start_evervec(*arguments: str) -> subprocess.Popen[str]:
    """Run `evervec ARGUMENTS` in a process of its own, not waited for."""
    return _start([sys.executable, "-c", "from evervec.cli import main; main()", *arguments])


def evervec(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `evervec ARGUMENTS` to its end."""
    return finished(start_evervec(*arguments))


def killed_yoyo(action: str, url: str, nth: int) -> int:
    """`yoyo ACTION --all`, killed between step and mark of the nth migration; the return code."""
    options = ["--all"] if action == "rollback" else []
    command = [action, "--database", yoyo_url(url), *options]
    script = _DIE_AT + _YOYO_MAIN
    return finished(_start([sys.executable, "-c", script, str(nth), *command])).returncode


def killed_evervec(action: str, url: str, nth: int) -> int:
    """`evervec migrate` or `rollback --all`, killed likewise; the return code."""
    script = _DIE_AT + _EVERVEC_MAIN
    return finished(_start([sys.executable, "-c", script, str(nth), action, url])).returncode


def finished(process: subprocess.Popen[str]) -> subprocess.CompletedProcess[str]:
    """Wait for a process; one that takes more than a minute is killed and fails the test."""
    with process:
        try:
            output, errors = process.communicate(timeout=60)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
    return subprocess.CompletedProcess(process.args, process.returncode, output, errors)


def _start(
    command: list[str], environment: Mapping[str, str] | None = None
) -> subprocess.Popen[str]:
    return subprocess.Popen(
        command,
        cwd=ROOT,
        env={**os.environ, **(environment or {})},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
