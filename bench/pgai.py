"""pgai: its package from PyPI, in virtual environments of its own."""

from __future__ import annotations

from bench.server import WORK, Server
from bench.venvs import interpreter, run

VERSION = "0.12.1"
_WORKER = f"pgai-{VERSION}-worker"


def install(server: Server) -> None:
    """Install pgai's schema by its own command, as the superuser (its package: 30 MB, 20 s)."""
    python = interpreter(f"pgai-{VERSION}", f"pgai=={VERSION}")
    run(python, "-m", "pgai", "install", "--db-url", server.superuser_url)


def worker(server: Server) -> list[str]:
    """The command of a worker that ends when its queue is empty (its package: 6 GB)."""
    python = interpreter(_WORKER, f"pgai[vectorizer-worker]=={VERSION}")
    words = ["vectorizer", "worker", "--once", "--log-level", "WARN"]
    return [str(python), "-m", "pgai", *words, "--db-url", server.superuser_url]


def environment() -> dict[str, str]:
    """What lets it count tokens without a download: it ships the file that tiktoken looks for."""
    found = (WORK / _WORKER / "lib").glob("python*/site-packages/pgai/vectorizer/tiktoken_cache")
    return {"TIKTOKEN_CACHE_DIR": str(next(found, ""))}
