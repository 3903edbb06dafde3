"""Other people's packages from PyPI, each in a virtual environment of its own below .bench."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from bench.server import ROOT, WORK


def interpreter(name: str, *requirements: str) -> Path:
    """The Python of the environment `name`, which is made when it is missing."""
    folder = WORK / name
    python = folder / "bin" / "python"
    stamp = folder / ".complete"
    if not stamp.exists():
        WORK.mkdir(exist_ok=True)
        run(Path(sys.executable), "-m", "venv", "--clear", str(folder))
        run(python, "-m", "pip", "install", "--quiet", *requirements)
        stamp.touch()
    return python


def run(*words: str | Path, folder: Path = ROOT) -> None:
    """Run a command in a folder to its end; RuntimeError with what it said when it fails."""
    result = subprocess.run(
        [str(word) for word in words], capture_output=True, text=True, check=False, cwd=folder
    )
    if result.returncode != 0:
        raise RuntimeError(f"{words[0]} failed: {result.stderr or result.stdout}")
