"""Data made up by rule and chance: the same seed gives the same games, people and libraries."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

import psycopg

_TODAY: Final = date(2026, 1, 1)


@dataclass(frozen=True)
class _Kind:
    """What games of one genre are about: words of titles, heroes, what they do, where, and why."""

    words: Sequence[str]
    heroes: Sequence[str]
    deeds: Sequence[str]
    places: Sequence[str]
    ends: Sequence[str]


_KINDS: Final[dict[str, _Kind]] = {
    "Action": _Kind(
        ("Fury", "Strike", "Outrage", "Vengeance"),
        ("a retired boxer", "a rogue agent", "two mercenary sisters"),
        ("fight through waves of enemies", "chain combos with swords and guns"),
        ("in a city under siege", "on an offshore oil platform"),
        ("to free the hostages", "to bring down a warlord"),
    ),
    "Adventure": _Kind(
        ("Voyage", "Island", "Compass", "Expedition"),
        ("a young cartographer", "an archaeologist", "a stranded sailor"),
        ("explore ruins and solve old riddles", "follow a torn map from clue to clue"),
        ("on a forgotten island", "in temples deep in the jungle"),
        ("to find a lost brother", "to uncover a buried civilisation"),
    ),
    "Farming": _Kind(
        ("Harvest", "Meadow", "Orchard", "Homestead"),
        ("a tired clerk from the city", "a family of newcomers", "a young farmer"),
        ("grow crops and raise animals", "plant orchards and sell vegetables at the market"),
        ("in a quiet village in the valley", "on an inherited farm"),
        ("and make friends with the neighbours", "through the four seasons, at your own pace"),
    ),
    "Horror": _Kind(
        ("Asylum", "Whisper", "Crypt", "Nightfall"),
        ("a night nurse", "a lost child", "a paranormal investigator"),
        ("hide from what walks the corridors", "search dark rooms with a failing torch"),
        ("in an abandoned hospital", "in a haunted mansion"),
        ("to survive until dawn", "to end an ancient curse"),
    ),
    "Puzzle": _Kind(
        ("Cipher", "Prism", "Tiles", "Paradox"),
        ("a curious robot", "a clockmaker", "an unseen hand"),
        ("rotate tiles and bend beams of light", "push blocks and open locks by logic"),
        ("in rooms that obey strange rules", "inside a mechanical box"),
        ("one brain teaser after another", "with more than a hundred puzzles"),
    ),
    "Racing": _Kind(
        ("Circuit", "Throttle", "Drift", "Grand Prix"),
        ("a rookie driver", "a street racer", "a rally team"),
        ("race fast cars and drift through corners", "tune engines and overtake rivals"),
        ("on mountain roads and city circuits", "on muddy rally stages"),
        ("to win the championship", "to beat every lap record"),
    ),
    "Role-Playing": _Kind(
        ("Crown", "Dragon", "Oath", "Chronicle"),
        ("an exiled knight", "a young mage", "a party of adventurers"),
        ("gather companions, cast spells and slay dragons", "accept quests and level up"),
        ("in a cursed kingdom of magic", "across a fantasy realm at war"),
        ("to reclaim the throne", "to defeat the dark lord"),
    ),
    "Space": _Kind(
        ("Nebula", "Orbit", "Starfall", "Frontier"),
        ("a freighter captain", "the last crew of a colony ship", "a bounty hunter"),
        ("fly a spaceship and fight pirates", "trade cargo between star systems"),
        ("in deep space", "at the edge of the galaxy"),
        ("to reach a new home planet", "to end an alien invasion"),
    ),
    "Sports": _Kind(
        ("League", "Champions", "Penalty", "Stadium"),
        ("a small football club", "a tennis talent", "a basketball coach"),
        ("train players and win matches", "score goals and plan tactics"),
        ("in full stadiums", "from the youth team to the top league"),
        ("to lift the cup", "season after season"),
    ),
    "Strategy": _Kind(
        ("Empire", "Siege", "Legion", "Dominion"),
        ("a young queen", "a general", "the mayor of a border town"),
        ("build cities, raise armies and sign treaties", "command troops turn by turn"),
        ("on a continent of rival empires", "in an age of gunpowder"),
        ("to conquer the known world", "to unite the provinces"),
    ),
    "Survival": _Kind(
        ("Wilds", "Embers", "Shelter", "Tundra"),
        ("a plane crash survivor", "a lone wanderer", "a group of castaways"),
        ("gather wood, craft tools and hunt for food", "build a shelter before the night"),
        ("in a frozen wilderness", "on a desert island"),
        ("to stay alive one more day", "until help arrives"),
    ),
    "Music": _Kind(
        ("Rhythm", "Chorus", "Tempo", "Encore"),
        ("a garage band", "a street drummer", "a dancer"),
        ("hit the notes to the beat", "mix songs and play guitar solos"),
        ("on stages from bars to arenas", "in neon clubs"),
        ("to thrill the crowd", "through fifty original songs"),
    ),
}

_FIRST: Final = (
    "Ashen", "Broken", "Crimson", "Distant", "Eternal", "Fallen", "Golden", "Hidden", "Iron",
    "Last", "Lost", "Midnight", "Northern", "Pale", "Quiet", "Rising", "Silver", "Sunken",
    "Twin", "Velvet", "Wandering", "Wild", "Winter", "Endless",
)  # fmt: skip
_PEOPLE: Final = (
    "ann", "bob", "cleo", "dan", "eve", "fay", "gus", "hana", "ivo", "jun", "kim", "leo", "mia",
    "ned", "ola", "pia", "quin", "rosa", "sam", "tess",
)  # fmt: skip


@dataclass(frozen=True)
class Size:
    """How much there is to be: games, people of at most twenty, and games in each library."""

    games: int = 600
    people: int = 20
    library: int = 40


def fill(url: str, size: Size | None = None, seed: int = 10) -> dict[str, int]:
    """Fill the empty tables; how many rows each has now.

    One game in fifteen has no genre, and one in twenty no description, as in any catalogue.
    """
    size = size or Size()
    chance = random.Random(seed)  # noqa: S311 (made up, not secret)
    with psycopg.connect(url) as connection:
        put = _Filler(connection)
        genres = {name: put("genres", name=name) for name in _KINDS}
        games: list[tuple[int, list[str]]] = []
        for title, kinds in _titles(chance, size.games):
            described = chance.random() >= 1 / 20
            game = put(
                "games",
                title=title,
                description=_description(chance, kinds) if described else None,
                released_on=_TODAY - timedelta(days=chance.randrange(8_000)),
            )
            games.append((game, kinds))
            if chance.random() >= 1 / 15:
                for kind in kinds:
                    put("game_genres", game_id=game, genre_id=genres[kind])
            for name, what in chance.sample(_ACHIEVEMENTS, 2):
                put("achievements", game_id=game, title=name, description=f"{what} {title}.")
        for name in _PEOPLE[: size.people]:
            put("users", name=name, joined_at=_moment(chance))
            _library(chance, put, name, games, size.library)
    return put.counts


_ACHIEVEMENTS: Final = (
    ("First Steps", "Finish the tutorial of"),
    ("Completionist", "Find every secret in"),
    ("Untouchable", "Win without taking damage in"),
    ("Night Owl", "Play four hours without a break:"),
    ("Speedrunner", "Finish in under two hours:"),
)


class _Filler:
    """Inserts a row; the id of it, where its table has one."""

    def __init__(self, connection: psycopg.Connection[tuple[Any, ...]]) -> None:
        self._connection = connection
        self.counts: dict[str, int] = {}

    def __call__(self, table: str, **values: object) -> int:
        self.counts[table] = self.counts.get(table, 0) + 1
        has_id = table in ("games", "genres", "collections", "achievements")
        row = self._connection.execute(
            psycopg.sql.SQL("insert into {} ({}) values ({}) returning {}").format(
                psycopg.sql.Identifier(table),
                psycopg.sql.SQL(", ").join(map(psycopg.sql.Identifier, values)),
                psycopg.sql.SQL(", ").join([psycopg.sql.Placeholder()] * len(values)),
                psycopg.sql.SQL("id" if has_id else "0"),
            ),
            list(values.values()),
        ).fetchone()
        return int(row[0]) if row else 0


def _titles(chance: random.Random, number: int) -> list[tuple[str, list[str]]]:
    """Titles, each once, and the one or two genres that each is of."""
    found: dict[str, list[str]] = {}
    names = list(_KINDS)
    while len(found) < number:
        kinds = [chance.choice(names)]
        if chance.random() < 0.4:
            kinds.append(chance.choice([name for name in names if name not in kinds]))
        title = f"{chance.choice(_FIRST)} {chance.choice(_KINDS[kinds[0]].words)}"
        if title in found:
            title += f" {chance.choice(('II', 'III', 'Remastered', 'Origins'))}"
        found.setdefault(title, kinds)
    return list(found.items())


def _description(chance: random.Random, kinds: Sequence[str]) -> str:
    """A sentence or two: the second genre, if any, has one of its own."""
    one = _KINDS[kinds[0]]
    said = (
        f"As {chance.choice(one.heroes)}, {chance.choice(one.deeds)} {chance.choice(one.places)}"
        f" {chance.choice(one.ends)}."
    )
    for kind in kinds[1:]:
        other = _KINDS[kind]
        said += f" Between chapters you {chance.choice(other.deeds)} {chance.choice(other.places)}."
    return said


def _library(
    chance: random.Random, put: _Filler, name: str, games: list[tuple[int, list[str]]], most: int
) -> None:
    """What somebody owns: mostly of two favourite genres, which are played longer, too."""
    liked = chance.sample(list(_KINDS), 2)
    near = [game for game, kinds in games if set(kinds) & set(liked)]
    far = [game for game, kinds in games if not set(kinds) & set(liked)]
    owned = chance.sample(near, min(len(near), most * 3 // 4))
    favourites = set(owned)
    owned += chance.sample(far, min(len(far), most - len(owned)))
    for game in owned:
        put(
            "user_games",
            user_name=name,
            game_id=game,
            hours=round(chance.expovariate(1 / (30 if game in favourites else 2)), 1),
            rating=chance.choice((4, 5, 5) if game in favourites else (1, 2, 3, None)),
            added_at=_moment(chance),
        )
    for title in (f"{liked[0]} evenings", "To play next"):
        collection = put(
            "collections",
            owner=name,
            title=title,
            description=f"What {name} keeps for {title.lower()}.",
        )
        for game in chance.sample(owned, min(len(owned), 5)):
            put("collection_games", collection_id=collection, game_id=game)


def _moment(chance: random.Random) -> datetime:
    return datetime(2025, 1, 1, tzinfo=UTC) + timedelta(minutes=chance.randrange(500_000))
