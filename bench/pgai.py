"""pgai's own triggers: its package from PyPI, in a virtual environment of its own."""

from __future__ import annotations

from bench.server import Server
from bench.venvs import interpreter, run

VERSION = "0.12.1"


def install(server: Server) -> None:
    """Install pgai's schema by its own command, as the superuser (its package: 30 MB, 20 s)."""
    python = interpreter(f"pgai-{VERSION}", f"pgai=={VERSION}")
    run(python, "-m", "pgai", "install", "--db-url", server.superuser_url)
