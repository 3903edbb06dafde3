"""What the application does, step by step, on a database of its own; each run begins anew."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import psycopg
from rich.table import Table
from rich.text import Text

from evervec import logs
from evervec.config import Config
from evervec.db import Database
from evervec.providers import Providers
from evervec.worker import Worker
from examples import stage
from examples.game_library import catalogue
from examples.game_library.app import create_app
from examples.game_library.library import GameLibrary

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flask.testing import FlaskClient
    from rich.console import Console

NAME: Final = "game_library"
MIGRATIONS: Final = Path(__file__).parent / "migrations"

# Whom the story is about: ann has a profile, zoe has none.
PROFILES: Final = {stage.OFFLINE: "ann=local,bob=local", stage.HOSTED: "ann=openai,bob=openai"}

# The offline model gives lower similarities than a hosted one.
_THRESHOLD: Final = 0.25
_WORDS: Final = "stay alive in the frozen wilderness"
_SHOWN: Final = 5
_TITLE_WIDTH: Final = 34


def run(console: Console, url: str, size: catalogue.Size | None = None) -> None:
    """The story, told to `console`; EVERVEC_PROFILES maps ann and bob to profiles.

    url: a database with evervec, whose tables of the application, if any, are made anew.
    """
    logs.configure("text", "error")
    with console.status("beginning anew …"):
        stage.roll_back(url, MIGRATIONS)
    _schema(console, url, size)
    with GameLibrary(url) as library:
        app = create_app(library)
        _not_configured(console, app.test_client())
        ann = app.test_client()
        ann.post("/login", json={"user": "ann"})
        _generate(console, ann)
        _search(console, ann)
        _rest(console, url)
        _rename(console, url)
        _clear(console, ann)
        _likes(console, ann, library)


def _schema(console: Console, url: str, size: catalogue.Size | None) -> None:
    _title(console, "1", "The application's tables, its embeddings, and a catalogue")
    for name in stage.apply(url, MIGRATIONS, {"game_library.model": stage.model()}):
        _say(console, f"applied {name}")
    counts = catalogue.fill(url, size)
    _say(console, ", ".join(f"{number:,} {what}" for what, number in counts.items()))
    with psycopg.connect(url) as connection:
        model, dimensions, text = _row(
            connection,
            "select s.model, s.dimensions, evervec.render('games', '{\"id\": 1}')"
            "  from evervec.get_source('games') s",
        )
    _say(console, f"model {model}, {dimensions} dimensions; a game's text is:")
    for line in text.splitlines():
        _say(console, f"  {line}", "cyan")


def _not_configured(console: Console, zoe: FlaskClient) -> None:
    _title(console, "2", "Each user has a provider profile; zoe has none")
    zoe.post("/login", json={"user": "zoe"})
    _call(console, zoe, "POST", "/user/embeddings", {"library_only": True})


def _generate(console: Console, ann: FlaskClient) -> None:
    _title(console, "3", "ann's library first, then what is missing of all games")
    _call(console, ann, "GET", "/user/embeddings")
    for body in ({"library_only": True}, {"library_only": False}, {"library_only": False}):
        started = time.monotonic()
        _call(console, ann, "POST", "/user/embeddings", body)
        _say(console, f"  {time.monotonic() - started:.1f} s", "dim")
    _call(console, ann, "GET", "/user/embeddings")


def _search(console: Console, ann: FlaskClient) -> None:
    _title(console, "4", "A search in ann's library")
    path = f"/user/library/search?q={_WORDS}"
    least = f"{path}&min_similarity={_THRESHOLD}"
    for asked, what in (
        (path, "from 0.6 on, as always; the model is asked for the words once a day"),
        (least, "from 0.25 on"),
        (least, "again: the answer was kept"),
    ):
        started = time.monotonic()
        found = ann.get(asked).get_json()["games"]
        milliseconds = (time.monotonic() - started) * 1000
        _say(console, f"GET {asked}", "cyan")
        _say(console, f"  {len(found)} games, {milliseconds:.0f} ms: {what}")
    _games(console, found)


def _rest(console: Console, url: str) -> None:
    _title(console, "5", "A worker does the rest: collections, achievements, indexes")
    started = time.monotonic()
    worked = _work(url)
    _say(console, f"{worked} rows embedded, {time.monotonic() - started:.1f} s")
    with psycopg.connect(url) as connection:
        for source, vectors, state in connection.execute(
            "select source, (select embedded from evervec.coverage(source)), index_state"
            "  from evervec.status order by source"
        ):
            _say(console, f"{source}: {vectors} vectors, HNSW index {state}")


def _rename(console: Console, url: str) -> None:
    _title(console, "6", "A genre gets another name: the texts of its games follow")
    with psycopg.connect(url) as connection:
        connection.execute("update genres set name = 'Survival Horror' where name = 'Horror'")
    worked = _work(url)
    _say(console, f"{worked} rows embedded by a worker")
    with psycopg.connect(url) as connection:
        (exact,) = _row(connection, "select percent = 100 from evervec.coverage('games')")
    _say(
        console, f"every vector belongs to the present text of its game: {'yes' if exact else 'no'}"
    )


def _clear(console: Console, ann: FlaskClient) -> None:
    _title(console, "7", "One game's embedding is cleared, and made again")
    _call(console, ann, "DELETE", "/games/7/embedding")
    _call(console, ann, "POST", "/games/7/embedding")
    _call(console, ann, "POST", "/games/7/embedding")


def _likes(console: Console, ann: FlaskClient, library: GameLibrary) -> None:
    _title(console, "8", "What ann likes, by what she plays and how she rates")
    library.learn("ann")
    for preference in ann.get("/user/preferences").get_json()["preferences"]:
        _say(
            console,
            f"{preference['type']}: of {preference['sample_size']} games,"
            f" confidence {preference['confidence']:.2f}",
        )
    _say(console, "she might like, of what she does not own:")
    _games(console, ann.get("/user/recommendations").get_json()["games"])


def _work(url: str) -> int:
    """A worker, until nothing is left; how many rows it embedded."""
    config = Config.from_environment(database_url=url)
    with Database(url, application_name="game_library worker") as db:
        done = Worker(db, Providers.configured(config), config).drain()
    return done.embedded + done.cached


def _call(console: Console, user: FlaskClient, method: str, path: str, body: object = None) -> None:
    answer = user.open(path, method=method, json=body)
    _say(console, f"{method} {path} {json.dumps(body) if body else ''}".rstrip(), "cyan")
    _say(console, f"  {answer.status_code}: {json.dumps(answer.get_json())}")


def _games(console: Console, games: Sequence[dict[str, Any]]) -> None:
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(justify="right", width=9, no_wrap=True)
    table.add_column(width=_TITLE_WIDTH, overflow="ellipsis", no_wrap=True)
    table.add_column(overflow="ellipsis", no_wrap=True)
    for game in games[:_SHOWN]:
        table.add_row(
            Text(f"{game['similarity']:.3f}", style="dim"),
            Text(game["title"]),
            Text(", ".join(game["genres"]) or "–"),
        )
    console.print(table)


def _row(connection: psycopg.Connection[Any], query: str) -> Any:
    return connection.execute(query.encode()).fetchone()


def _say(console: Console, line: str, style: str | None = None) -> None:
    console.print(f"   {line}", markup=False, style=style, soft_wrap=True)


def _title(console: Console, number: str, text: str) -> None:
    console.print(f"\n[bold blue]{number}[/]  [bold]{text}[/]")
