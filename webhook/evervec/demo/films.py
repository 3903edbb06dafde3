"""The films of the demo: 17,472 of them, CC0, from the wheel bokeh-sampledata."""

from __future__ import annotations

import importlib.util
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Final

import psycopg
from psycopg.rows import class_row

from evervec.errors import EvervecError

TABLE: Final = "public.film"
SOURCE: Final = "film"

# Cast and writers stay out: the data list them alphabetically, so the first names are not the
# leading ones, and names that nobody asked for pull the vector away from what the film is.
TEMPLATE: Final = "{title} ({year}). {genres}. Directed by {director}. {country}."

_CREATE: Final = """
    create table if not exists public.film (
        id           integer primary key,
        imdb_id      text,
        title        text not null,
        year         integer,
        genres       text,
        director     text,
        writers      text,
        cast_members text,
        country      text
    )
"""

_SELECT_SQLITE: Final = """
    select "ID", "imdbID", "Title", "Year", nullif("Genre", ''), nullif("Director", ''),
           nullif("Writer", ''), nullif("Cast", ''), nullif("Country", '')
      from omdb
     order by "ID"
"""

_SELECT: Final = """
    select f.id, f.title, f.year, coalesce(f.genres, '') as genres,
           coalesce(f.director, '') as director, coalesce(f.country, '') as country
      from public.film f
"""


@dataclass(frozen=True, slots=True)
class Film:
    """What a reader sees of a film. Genres, director and country may be several, joined by
    ', '.
    """

    id: int
    title: str
    year: int | None
    genres: str
    director: str
    country: str


def installed() -> bool:
    """Whether the wheel with the films is there."""
    return importlib.util.find_spec("bokeh_sampledata") is not None


def load(connection: psycopg.Connection[tuple[object, ...]]) -> int:
    """Create and fill the table unless it is filled; the number of films added.

    All or nothing: an interrupted run leaves no half of the films behind.
    """
    with connection.transaction():
        connection.execute(_CREATE)
        if connection.execute("select from public.film limit 1").fetchone() is not None:
            return 0
        added = 0
        with connection.cursor().copy("copy public.film from stdin") as copy:
            for row in _rows():
                copy.write_row(row)
                added += 1
    connection.execute("analyze public.film")
    return added


def by_id(connection: psycopg.Connection[tuple[object, ...]], ids: Sequence[int]) -> list[Film]:
    """Films in the order of their ids; those that do not exist are left out."""
    with connection.cursor(row_factory=class_row(Film)) as cursor:
        return cursor.execute(
            _SELECT + " where f.id = any (%s) order by array_position(%s::int[], f.id)",
            (list(ids), list(ids)),
        ).fetchall()


def by_title(connection: psycopg.Connection[tuple[object, ...]], title: str, year: int) -> Film:
    """One film. Raises EvervecError when somebody has removed it."""
    with connection.cursor(row_factory=class_row(Film)) as cursor:
        film = cursor.execute(
            _SELECT + " where (f.title, f.year) = (%s, %s) order by f.id",
            (title, year),
        ).fetchone()
    if film is None:
        raise EvervecError(
            f"the demo's table public.film has no {title} ({year})",
            hint="Remove the folder of the embedded server's data and run the demo again.",
        )
    return film


def rename(connection: psycopg.Connection[tuple[object, ...]], film_id: int, title: str) -> None:
    """What an application does all day: change a row."""
    connection.execute("update public.film set title = %s where id = %s", (title, film_id))


def _rows() -> Iterator[tuple[object, ...]]:
    from bokeh_sampledata.movies_data import movie_path

    with closing(sqlite3.connect(f"file:{movie_path}?mode=ro", uri=True)) as movies:
        yield from movies.execute(_SELECT_SQLITE)
