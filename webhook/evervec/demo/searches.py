"""The ten searches of the demo, and what a reader expects of each: checked by code, here only."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from evervec.demo.films import Film

FIRST: Final = 5  # rows of a search that are looked at
MAJORITY: Final = 3  # rows of these that must be what a reader expects
MUST_HOLD: Final = 8  # searches of the ten


@dataclass(frozen=True, slots=True)
class Search:
    """Words that a person would type, and what the person hopes to see.

    expects  that hope in words
    fits     whether a film fulfils it, judged by columns and not by similarity
    """

    words: str
    expects: str
    fits: Callable[[Film], bool]

    def fitting(self, films: Sequence[Film]) -> int:
        """How many of the first five films fit."""
        return sum(self.fits(film) for film in films[:FIRST])

    def holds(self, films: Sequence[Film]) -> bool:
        """Whether most of the first five films fit."""
        return self.fitting(films) >= MAJORITY


def _genre(*names: str) -> Callable[[Film], bool]:
    """All of these genres."""
    return lambda film: all(name in film.genres.split(", ") for name in names)


def _director(name: str) -> Callable[[Film], bool]:
    return lambda film: name in film.director.split(", ")


def _country(country: str, *genres: str) -> Callable[[Film], bool]:
    """From that country, of at least one of the genres."""
    return lambda film: (
        country in film.country.split(", ")
        and any(genre in film.genres.split(", ") for genre in genres)
    )


TEN: Final = (
    Search("science fiction in outer space", "science fiction", _genre("Sci-Fi")),
    Search("samurai films by Akira Kurosawa", "by Akira Kurosawa", _director("Akira Kurosawa")),
    Search("thriller by Alfred Hitchcock", "by Alfred Hitchcock", _director("Alfred Hitchcock")),
    Search("cowboys and outlaws in the Wild West", "westerns", _genre("Western")),
    Search("vampires and Dracula", "horror", _genre("Horror")),
    Search("romantic comedy about a wedding", "romance and comedy", _genre("Romance", "Comedy")),
    Search("a documentary about food and cooking", "documentaries", _genre("Documentary")),
    Search(
        "Japanese monster movie",
        "science fiction or horror from Japan",
        _country("Japan", "Sci-Fi", "Horror"),
    ),
    Search("cartoon for small children", "animation", _genre("Animation")),
    # The model reads 16 languages; this one means "French love film".
    Search("film d'amour français", "romance from France", _country("France", "Romance")),
)
