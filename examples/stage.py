"""What all examples share: a database of their own on the embedded server, and their migrations."""

from __future__ import annotations

import os
import shlex
import sys
from contextlib import contextmanager, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, urlsplit, urlunsplit

from rich.console import Console
from yoyo import get_backend, read_migrations

from evervec import embedded, migrate

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

# Wide enough that nothing is cut where no terminal sets a limit.
_WIDTH_OF_A_PIPE: Final = 120

HOSTED: Final = "text-embedding-3-small"
OFFLINE: Final = "local"


def console() -> Console:
    """Standard output: with colours for a terminal, plain for a pipe."""
    return Console(width=None if sys.stdout.isatty() else _WIDTH_OF_A_PIPE, highlight=False)


def database(name: str) -> str:
    """The URL of a database of this name, with evervec, on the embedded server. May be repeated.

    Raises EvervecError.
    """
    url = embedded.prepare(embedded.start(), name)
    migrate.apply(url)
    return url


def model() -> str:
    """The hosted model where the environment has a key or an address for it, else the offline one.

    The migrations of the examples know both.
    """
    hosted = os.environ.get("OPENAI_API_KEY") or os.environ.get("OPENAI_BASE_URL")
    return HOSTED if hosted else OFFLINE


def apply(url: str, folder: Path, settings: Mapping[str, str] | None = None) -> list[str]:
    """Apply the application's own migrations, in a session with these settings; which."""
    options = " ".join(f"-c {name}={value}" for name, value in (settings or {}).items())
    with _yoyo(url, options) as backend:
        pending = backend.to_apply(read_migrations(str(folder)))
        backend.apply_migrations(pending)
    return [migration.id for migration in pending]


def roll_back(url: str, folder: Path, most: int | None = None) -> list[str]:
    """Undo them, the newest first, all or `most`; which."""
    with _yoyo(url, "") as backend:
        applied = backend.to_rollback(read_migrations(str(folder)))[:most]
        backend.rollback_migrations(applied)
    return [migration.id for migration in applied]


def program(name: str) -> str:
    """A command beside this interpreter, for a shell."""
    return shlex.quote(str(Path(sys.executable).with_name(name)))


def how_to_go_on(console: Console, url: str, *lines: str) -> None:
    """Where the data are, and what else can be done with them."""
    console.print("\n[bold blue]→[/]  [bold]How to go on[/]")
    for line in (
        f"export EVERVEC_DATABASE_URL={shlex.quote(url)}",
        *lines,
        f"{program('evervec')} status",
        f"{program('evervec')} embedded stop    # the data stay in {embedded.default_data_dir()}",
    ):
        console.print(f"   {line}", markup=False, soft_wrap=True)


@contextmanager
def _yoyo(url: str, options: str) -> Iterator[Any]:
    """yoyo on a database, locked; what it prints of SELECTs is kept from the story."""
    with (
        get_backend(_for_yoyo(url, options)) as backend,
        backend.lock(),
        redirect_stdout(StringIO()),
    ):
        yield backend


def _for_yoyo(url: str, options: str) -> str:
    """The URL as yoyo wants it for psycopg 3."""
    parts = urlsplit(url)
    query = "&".join(filter(None, [parts.query, options and f"options={quote(options)}"]))
    return urlunsplit(parts._replace(scheme="postgresql+psycopg", query=query))
