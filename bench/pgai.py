"""pgai's own triggers: its package from PyPI, in a virtual environment of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from bench.server import WORK, Server

VERSION = "0.12.1"
_VENV = WORK / f"pgai-{VERSION}"


def install(server: Server) -> None:
    """Install pgai's schema by its own command, as the superuser."""
    _run(_python(), "-m", "pgai", "install", "--db-url", server.superuser_url)


def _python() -> Path:
    """The interpreter of the virtual environment, which is made when missing (30 MB, 20 s)."""
    python = _VENV / "bin" / "python"
    stamp = _VENV / ".complete"
    if not stamp.exists():
        WORK.mkdir(exist_ok=True)
        _run(Path(sys.executable), "-m", "venv", "--clear", str(_VENV))
        _run(python, "-m", "pip", "install", "--quiet", f"pgai=={VERSION}")
        stamp.touch()
    return python


def _run(*words: str | Path) -> None:
    result = subprocess.run(
        [str(word) for word in words], capture_output=True, text=True, check=False
    )
    if result.returncode != 0:
        raise RuntimeError(f"{words[0]} failed: {result.stderr or result.stdout}")
