"""What the application does with evervec; the routes of app.py, and a story, are made of it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from types import TracebackType
from typing import Any, Final, Literal, LiteralString, Self

import psycopg
from psycopg.rows import class_row, dict_row

from evervec import Generate, Search
from evervec.config import Config
from evervec.generate import Generated

Kind = Literal["games", "collections", "achievements"]

BATCH_SIZE: Final = 100
LIMIT: Final = 50
MIN_SIMILARITY: Final = 0.6

# Which vectors an answer is made from. It is kept for a day, and no longer than these are the ones.
_VECTORS: Final = """
    select count(*)::text || ' ' || coalesce(max(e.updated_at)::text, '')
      from user_games u
      join games_embedding e on e.id = u.game_id
     where u.user_name = %s
"""

_GAMES: Final = """
    select g.id, g.title, h.similarity::double precision as similarity,
           coalesce((select array_agg(n.name order by n.name)
                       from game_genres gg
                       join genres n on n.id = gg.genre_id
                      where gg.game_id = g.id), '{}') as genres
      from unnest(%s::integer[], %s::real[]) with ordinality as h (id, similarity, place)
      join games g on g.id = h.id
     order by h.place
"""

_STATUS: Final = """
    select count(*) as games, count(e.id) as embedded,
           count(u.game_id) as library,
           count(e.id) filter (where u.game_id is not null) as library_embedded
      from games g
      left join games_embedding e on e.id = g.id
      left join user_games u on u.game_id = g.id and u.user_name = %s
"""

_PREFERENCES: Final = """
    select preference_type as type, sample_size, confidence::double precision as confidence,
           strength::double precision as strength, vector_dims(embedding) as dimensions, updated_at
      from evervec.user_preference
     where user_id = %s and source_id = (select source_id from evervec.source where name = 'games')
     order by preference_type
"""


class NotConfiguredError(Exception):
    """Nobody has said which provider profile pays for this user."""


@dataclass(frozen=True, slots=True)
class Counts:
    """What a generation did, in rows: of what was processed, cached and generated have a vector."""

    processed: int = 0
    cached: int = 0
    generated: int = 0
    errors: int = 0

    def plus(self, done: Generated) -> Counts:
        """With a further batch."""
        return Counts(*(getattr(self, f.name) + getattr(done, f.name) for f in fields(self)))


@dataclass(frozen=True, slots=True)
class Game:
    """A game that was found; similarity: to what was sought."""

    id: int
    title: str
    genres: list[str]
    similarity: float


@dataclass(frozen=True, slots=True)
class Status:
    """Whether there are embeddings: of all games, and of those in one user's library."""

    games: int
    embedded: int
    library: int
    library_embedded: int

    @property
    def has_embeddings(self) -> bool:
        """Whether a search in the library can find something."""
        return self.library_embedded > 0


class GameLibrary:
    """The application on its database; may be used by several threads at once.

    Each user is mapped to a provider profile, which pays for what is embedded on the user's behalf:
    EVERVEC_PROFILES=ann=openai,bob=azure_eu. Methods with a user raise NotConfiguredError for one
    without, and EvervecError.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._profiles = Config.from_environment().tenants
        self._search = Search(url)
        self._generate = Generate(url)

    def __enter__(self) -> Self:
        self._search.__enter__()
        self._generate.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._generate.__exit__(kind, error, trace)
        self._search.__exit__(kind, error, trace)

    def profile(self, user: str) -> str:
        """The provider profile that a user is mapped to."""
        found = self._profiles.get(user) or self._profiles.get("*")
        if found is None:
            raise NotConfiguredError(user)
        return found

    # -- generation ------------------------------------------------------------------------------

    def generate_missing(
        self, user: str, *, library_only: bool = False, kind: Kind = "games"
    ) -> Counts:
        """Vectors for all rows that have none, or for those of the user's library: the job."""
        self.profile(user)
        counts, after = Counts(), None
        while True:
            done = self._generate(
                kind,
                scope="library" if library_only else None,
                arguments={"p_user": user} if library_only else None,
                after=after,
                batch_size=BATCH_SIZE,
                tenant=user,
            )
            counts, after = counts.plus(done), done.next
            if after is None:
                return counts

    def generate(self, user: str, ids: Sequence[int], kind: Kind = "games") -> Counts:
        """Vectors for these rows, one or many; what has a true one already is not touched."""
        self.profile(user)
        counts = Counts()
        for begin in range(0, len(ids), BATCH_SIZE):
            keys = [{"id": row} for row in ids[begin : begin + BATCH_SIZE]]
            counts = counts.plus(self._generate(kind, keys=keys, tenant=user))
        return counts

    def clear(self, row: int, kind: Kind = "games") -> bool:
        """Forget the vector of a row, and the cached one of its text; whether it had one.

        It is queued, and made anew by the next generation, or by a worker.
        """
        key = json.dumps({"id": row})
        return bool(self._value("select evervec.reset(%s, array[%s::jsonb])", kind, key))

    def status(self, user: str) -> Status:
        """How much has its embedding."""
        self.profile(user)
        with psycopg.connect(self._url) as connection:
            cursor = connection.cursor(row_factory=class_row(Status))
            return cursor.execute(_STATUS, (user,)).fetchone() or Status(0, 0, 0, 0)

    # -- search ----------------------------------------------------------------------------------

    def search(
        self, user: str, words: str, limit: int = LIMIT, min_similarity: float = MIN_SIMILARITY
    ) -> list[Game]:
        """The games of the user's library nearest in meaning to `words`, nearest first.

        The answer is kept for 24 hours by user, words, limit and threshold, and used while neither
        the library nor its vectors have changed.
        """
        self.profile(user)
        asked = json.dumps([words, limit, min_similarity])
        name = f"library search {hashlib.sha256(asked.encode()).hexdigest()}"
        vectors = self._value(_VECTORS, user)
        kept = self._value("select evervec.cache_get(%s, %s)", user, name)
        if kept is None or kept["vectors"] != vectors:
            rows = self._search(
                "games",
                words,
                limit=limit,
                min_similarity=min_similarity,
                scope="library",
                arguments={"p_user": user},
                tenant=user,
            )
            found = [[row.key["id"], row.similarity] for row in rows]
            kept = {"vectors": vectors, "rows": found}
            self._value(
                "select evervec.cache_put(%s, %s, %s::jsonb, p_source => 'games',"
                " p_keep => interval '24 hours')",
                user,
                name,
                json.dumps(kept),
            )
        return self._games(kept["rows"])

    def similar(self, game: int, limit: int = 10) -> list[Game]:
        """The games most like one."""
        return self._found(
            "select row_key, similarity from evervec.find_similar_to('games', %s::jsonb, %s)",
            json.dumps({"id": game}),
            limit,
        )

    # -- preferences -----------------------------------------------------------------------------

    def learn(self, user: str) -> bool:
        """Make the preferences of a user now; workers do it every 15 minutes."""
        return bool(self._value("select evervec.update_user_embedding(%s, 'games')", user))

    def preferences(self, user: str) -> list[Mapping[str, Any]]:
        """One for each type: how many games it is made of, and how sure it is."""
        with psycopg.connect(self._url) as connection:
            cursor = connection.cursor(row_factory=dict_row)
            return list(cursor.execute(_PREFERENCES, (user,)).fetchall())

    def recommend(self, user: str, limit: int = 10, preference: str = "default") -> list[Game]:
        """Games that the user does not own, best first."""
        return self._found(
            "select row_key, score as similarity from evervec.recommend("
            "%s, 'games', p_limit => %s, p_preference => %s)",
            user,
            limit,
            preference,
        )

    # -- pieces ----------------------------------------------------------------------------------

    def _found(self, query: LiteralString, *parameters: object) -> list[Game]:
        with psycopg.connect(self._url) as connection:
            rows = connection.execute(query, parameters).fetchall()
        return self._games([[key["id"], similarity] for key, similarity in rows])

    def _games(self, found: Sequence[Sequence[Any]]) -> list[Game]:
        """Titles and genres as they are now; a game that is gone is left out."""
        ids, similarities = [row[0] for row in found], [row[1] for row in found]
        with psycopg.connect(self._url) as connection:
            cursor = connection.cursor(row_factory=class_row(Game))
            return cursor.execute(_GAMES, (ids, similarities)).fetchall()

    def _value(self, query: LiteralString, *parameters: object) -> Any:
        with psycopg.connect(self._url) as connection:
            row = connection.execute(query, parameters).fetchone()
            return None if row is None else row[0]
