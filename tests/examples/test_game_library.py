"""The game library, end to end: every feature that docs/applications.md names."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
import pytest
from flask.testing import FlaskClient
from rich.console import Console

from evervec.config import Config
from evervec.db import Database
from evervec.providers import Providers
from evervec.worker import Worker
from examples import stage
from examples.game_library import catalogue, story
from examples.game_library.app import create_app
from examples.game_library.library import GameLibrary
from tests.support.cluster import Cluster
from tests.support.openai_server import Answer, OpenAIServer
from tests.support.sql_worker import Row, rows, value

SOURCES = ("games", "collections", "achievements")

# Four games with words in common, so that the server's bags of words can tell which are alike.
GAMES = """
    insert into games (id, title, description) overriding system value values
        (1, 'Dragon Crown', 'slay the dragon in the cursed kingdom'),
        (2, 'Dragon Oath', 'slay the dragon in the frozen kingdom'),
        (3, 'Night Ward', null),
        (4, 'Star Freight', 'haul cargo to the stars in the kingdom'),
        (5, 'Blank', ' ');
    insert into genres (id, name) overriding system value values
        (1, 'Role-Playing'), (2, 'Fantasy'), (3, 'Space');
    insert into game_genres values (1, 1), (1, 2), (2, 2), (4, 3);
    insert into users (name) values ('ann'), ('bob'), ('zoe');
    insert into user_games (user_name, game_id, hours, rating) values
        ('ann', 1, 50, 5), ('ann', 3, 1, 2), ('ann', 4, 2, null), ('bob', 2, 3, 4);
    insert into collections (id, owner, title) overriding system value values
        (1, 'ann', 'Evenings');
    insert into collection_games values (1, 1), (1, 4);
    insert into achievements (id, game_id, title, description) overriding system value values
        (1, 1, 'Dragonslayer', 'Slay the dragon'), (2, 2, 'Oathkeeper', null);
    alter table games alter column id restart with 6;
"""


@dataclass
class Shop:
    """The application on a database of the test's, and who asks it."""

    url: str
    conn: psycopg.Connection
    library: GameLibrary
    server: OpenAIServer

    def user(self, name: str | None) -> FlaskClient:
        """A browser, with somebody logged in."""
        client = create_app(self.library).test_client()
        if name is not None:
            client.post("/login", json={"user": name})
        return client

    def embedded(self, source: str = "games") -> list[int]:
        return [
            row["id"] for row in rows(self.conn, f"select id from {source}_embedding order by 1")
        ]

    def text(self, source: str, row: int) -> str:
        return str(
            value(self.conn, "select evervec.render(%s, %s::jsonb)", source, f'{{"id": {row}}}')
        )

    def keys(self) -> list[str]:
        """With whose key each request came."""
        return [r.headers["authorization"].removeprefix("Bearer of-") for r in self.server.requests]


def work(url: str) -> None:
    """A worker, until nothing is left."""
    config = Config.from_environment(database_url=url)
    with Database(url) as db:
        Worker(db, Providers.configured(config), config).drain()


@contextmanager
def opened(cluster: Cluster, template: str, server: OpenAIServer) -> Iterator[Shop]:
    with (
        cluster.database(template) as database,
        psycopg.connect(database.url, autocommit=True) as conn,
        GameLibrary(database.url) as library,
    ):
        yield Shop(database.url, conn, library, server)


@pytest.fixture(scope="module")
def stocked(cluster: Cluster, template: str, provider: OpenAIServer) -> Iterator[str]:
    """A database with five games, of which ann has three; nothing is embedded."""
    with cluster.database(template) as database:
        stage.apply(database.url, story.MIGRATIONS, {"game_library.model": stage.model()})
        with psycopg.connect(database.url) as conn:
            conn.execute(GAMES.encode())
        yield database.name


@pytest.fixture(scope="module")
def filled(cluster: Cluster, stocked: str) -> Iterator[str]:
    """The same with all that is embedded, and indexes."""
    with cluster.database(stocked) as database:
        work(database.url)
        yield database.name


@pytest.fixture
def shop(cluster: Cluster, stocked: str, accounts: OpenAIServer) -> Iterator[Shop]:
    """The application before anything is embedded."""
    with opened(cluster, stocked, accounts) as shop:
        yield shop


@pytest.fixture
def full(cluster: Cluster, filled: str, accounts: OpenAIServer) -> Iterator[Shop]:
    """The application with every vector."""
    with opened(cluster, filled, accounts) as shop:
        yield shop


def answer(response: Any, status: int = 200) -> dict[str, Any]:
    assert response.status_code == status, response.get_data(as_text=True)
    found = response.get_json()
    assert isinstance(found, dict)
    return found


def counts(processed: int, cached: int, generated: int, errors: int = 0) -> Mapping[str, int]:
    return {
        "processed": processed,
        "cached": cached,
        "generated": generated,
        "errors": errors,
    }


# -- what is embedded --------------------------------------------------------------------------


@pytest.mark.parametrize("source", SOURCES)
def test_each_row_has_one_embedding_that_goes_with_it(full: Shop, source: str) -> None:
    keys = rows(
        full.conn,
        "select contype, confrelid::regclass::text as refers, confdeltype"
        "  from pg_constraint where conrelid = %s::regclass and contype in ('p', 'f') order by 1",
        f"{source}_embedding",
    )
    before = full.embedded(source)

    full.conn.execute(f"delete from {source} where id = 1".encode())

    assert [(k["contype"], k["refers"]) for k in keys] == [("f", source), ("p", "-")]
    assert keys[0]["confdeltype"] == "c"
    assert 1 in before
    assert full.embedded(source) == [row for row in before if row != 1]


@pytest.mark.parametrize("source", SOURCES)
def test_an_embedding_has_hash_model_and_an_hnsw_index_by_cosine(full: Shop, source: str) -> None:

    (kept,) = rows(
        full.conn,
        "select content_hash = sha256(convert_to(evervec.render(%s, '{\"id\": 1}'), 'UTF8'))"
        "           as hash,"
        "        m.name, vector_dims(e.embedding) as dimensions"
        f"  from {source}_embedding e join evervec.model m using (model_id) where e.id = 1",
        source,
    )
    indexes = rows(
        full.conn, "select indexdef from pg_indexes where tablename = %s", f"{source}_embedding"
    )

    assert kept == {"hash": True, "name": "text-embedding-3-small", "dimensions": 1536}
    assert ["vector_cosine_ops" in i["indexdef"] for i in indexes if "hnsw" in i["indexdef"]] == [
        True
    ]


def test_without_a_key_the_offline_model_is_taken(
    conn: psycopg.Connection, url: str, offline: None
) -> None:
    stage.apply(url, story.MIGRATIONS, {"game_library.model": stage.model()})

    assert {row["model"] for row in rows(conn, "select model from evervec.status")} == {"local"}


@pytest.mark.parametrize(
    ("game", "genres", "description"),
    [
        (1, "Fantasy, Role-Playing", "slay the dragon in the cursed kingdom"),
        (3, "Unknown", "No description available"),
        (5, "Unknown", "No description available"),
    ],
)
def test_the_text_of_a_game_has_three_lines(
    shop: Shop, game: int, genres: str, description: str
) -> None:
    title = value(shop.conn, "select title from games where id = %s", game)
    assert shop.text("games", game).split("\n") == [
        f"Title: {title}",
        f"Genres: {genres}",
        f"Description: {description}",
    ]


def test_texts_of_collections_and_achievements_name_their_games(shop: Shop) -> None:
    assert shop.text("collections", 1).split("\n")[1] == "Games: Dragon Crown, Star Freight"
    assert shop.text("achievements", 2).split("\n") == [
        "Title: Oathkeeper",
        "Game: Dragon Oath",
        "Description: No description available",
    ]


@pytest.mark.parametrize(
    ("change", "texts"),
    [
        ("update genres set name = 'Myth' where id = 2", 2),
        ("insert into game_genres values (3, 3)", 1),
        ("delete from game_genres where game_id = 4", 1),
        ("update games set description = 'new' where id = 5", 1),
        ("update games set released_on = '2020-01-01'", 0),
        ("update games set title = 'Dragon Queen' where id = 1", 3),
        ("delete from collection_games where game_id = 4", 1),
    ],
)
def test_embeddings_follow_whatever_their_text_is_made_of(
    full: Shop, change: str, texts: int
) -> None:
    full.server.requests.clear()

    full.conn.execute(change.encode())
    work(full.url)

    assert len(full.server.texts) == texts
    for source in SOURCES:
        assert value(full.conn, "select percent from evervec.coverage(%s)", source) == 100


# -- generation --------------------------------------------------------------------------------


def test_a_job_makes_what_a_users_library_lacks_and_no_more(shop: Shop) -> None:
    ann = shop.user("ann")

    first = answer(ann.post("/user/embeddings", json={"library_only": True}))
    again = answer(ann.post("/user/embeddings", json={"library_only": True}))

    assert (first, again) == (counts(3, 0, 3), counts(0, 0, 0))
    assert shop.embedded() == [1, 3, 4]


def test_a_job_makes_what_is_missing_of_all_games(shop: Shop) -> None:
    ann = shop.user("ann")
    ann.post("/user/embeddings", json={"library_only": True})

    assert answer(ann.post("/user/embeddings")) == counts(2, 0, 2)
    assert shop.embedded() == [1, 2, 3, 4, 5]


def test_a_job_works_in_batches_of_a_hundred(shop: Shop) -> None:
    shop.conn.execute(
        "insert into games (title) select 'Game ' || g from generate_series(1, 245) g"
    )

    done = answer(shop.user("ann").post("/user/embeddings"))

    assert done == counts(250, 0, 250)
    assert [len(request.texts) for request in shop.server.requests] == [100, 100, 50]


def test_one_game_and_several_are_generated_by_their_numbers(shop: Shop) -> None:
    ann = shop.user("ann")

    one = answer(ann.post("/games/2/embedding"))
    several = answer(ann.post("/games/embeddings", json={"ids": [2, 4, 5]}))

    assert (one, several) == (counts(1, 0, 1), counts(3, 0, 2))
    assert shop.embedded() == [2, 4, 5]
    answer(ann.post("/games/embeddings", json={"ids": "all"}), 400)


def test_a_text_that_was_embedded_before_comes_from_the_cache(shop: Shop) -> None:
    shop.conn.execute("update games set title = 'Night Ward' where id = 5")
    ann = shop.user("ann")

    first = answer(ann.post("/games/3/embedding"))
    twin = answer(ann.post("/games/5/embedding"))

    assert (first, twin) == (counts(1, 0, 1), counts(1, 1, 0))
    assert len(shop.server.texts) == 1


def test_rows_that_fail_are_counted_and_stay_queued(shop: Shop) -> None:
    shop.server.rule(
        lambda request: Answer(500) if any("Night Ward" in text for text in request.texts) else None
    )

    done = answer(shop.user("ann").post("/games/3/embedding"))

    assert done == counts(1, 0, 0, errors=1)
    assert value(shop.conn, "select retrying from evervec.status where source = 'games'") == 1


def test_a_cleared_embedding_is_made_anew_at_the_providers(shop: Shop) -> None:
    ann = shop.user("ann")
    ann.post("/games/embeddings", json={"ids": [1, 2]})
    shop.server.requests.clear()

    cleared = [answer(ann.delete("/games/1/embedding")) for _ in range(2)]

    assert cleared == [{"cleared": True}, {"cleared": False}]
    assert shop.embedded() == [2]
    assert answer(ann.post("/games/1/embedding")) == counts(1, 0, 1)
    assert len(shop.server.texts) == 1


# -- users and their profiles ------------------------------------------------------------------


def test_the_status_says_whether_a_user_has_embeddings(shop: Shop) -> None:
    ann = shop.user("ann")

    before = answer(ann.get("/user/embeddings"))
    ann.post("/user/embeddings", json={"library_only": True})
    after = answer(ann.get("/user/embeddings"))

    assert (before["has_embeddings"], after["has_embeddings"]) == (False, True)
    assert after == {
        "has_embeddings": True,
        "profile": "anns",
        "games": 5,
        "embedded": 3,
        "library": 3,
        "library_embedded": 3,
    }


def test_each_user_is_served_with_a_key_of_their_own(shop: Shop) -> None:
    shop.user("ann").post("/games/1/embedding")
    shop.user("bob").post("/games/2/embedding")
    shop.user("bob").get("/user/library/search?q=dragon")
    work(shop.url)

    assert shop.keys()[:3] == ["ann", "bob", "bob"]
    assert set(shop.keys()[3:]) == {"the-shop"}


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/user/embeddings"),
        ("GET", "/user/embeddings"),
        ("GET", "/user/library/search?q=dragon"),
        ("POST", "/games/1/embedding"),
    ],
)
def test_a_user_without_a_profile_is_told_so(shop: Shop, method: str, path: str) -> None:
    refused = shop.user("zoe").open(path, method=method)

    assert answer(refused, 400) == {"error": "not configured"}
    assert shop.server.requests == []
    answer(shop.user(None).open(path, method=method), 401)


def test_a_users_key_that_is_refused_is_a_sentence_and_stops_nobody(shop: Shop) -> None:
    shop.server.rule(
        lambda request: Answer(401) if request.headers["authorization"].endswith("ann") else None
    )

    refused = shop.user("ann").post("/user/embeddings")

    assert answer(refused, 502)["error"]
    assert answer(shop.user("bob").post("/user/embeddings")) == counts(5, 0, 5)


# -- search in the library ---------------------------------------------------------------------

DRAGONS = (
    "/user/library/search?q=Dragon%20Crown%20slay%20the%20dragon%20in%20the%20cursed%20kingdom"
)


def kept(shop: Shop) -> list[Row]:
    return rows(
        shop.conn,
        "select user_id, value, expires_at - now() as time_left from evervec.analysis_cache",
    )


def test_a_search_finds_games_of_the_users_library_with_their_genres(full: Shop) -> None:

    (found,) = answer(full.user("ann").get(DRAGONS))["games"]
    everything = answer(full.user("ann").get(f"{DRAGONS}&min_similarity=-1"))["games"]
    bobs = answer(full.user("bob").get(f"{DRAGONS}&min_similarity=-1"))["games"]

    assert (found["id"], found["title"]) == (1, "Dragon Crown")
    assert found["genres"] == ["Fantasy", "Role-Playing"]
    assert 0.6 <= found["similarity"] <= 1
    assert everything[0]["id"] == 1
    assert [game["id"] for game in everything] == [1, 4, 3]
    assert 0.1 < everything[1]["similarity"] < 0.6
    assert [game["genres"] for game in everything if game["id"] == 3] == [[]]
    assert [game["id"] for game in bobs] == [2]


def test_a_search_answers_fifty_games_unless_told_otherwise(shop: Shop) -> None:
    shop.conn.execute(
        "with new as (insert into games (title) select 'Dragon' from generate_series(1, 55)"
        "             returning id)"
        " insert into user_games (user_name, game_id) select 'ann', id from new"
    )
    work(shop.url)
    ann = shop.user("ann")

    path = "/user/library/search?q=dragon&min_similarity=0"

    assert len(answer(ann.get(path))["games"]) == 50
    assert len(answer(ann.get(f"{path}&limit=2"))["games"]) == 2


def test_an_answer_is_kept_for_a_day_by_user_words_limit_and_threshold(full: Shop) -> None:
    full.conn.execute(
        "delete from user_games where user_name = 'bob';"
        " insert into user_games select 'bob', game_id from user_games"  # the same as ann's
    )
    ann = full.user("ann")
    first = answer(ann.get(DRAGONS))
    full.conn.execute(
        "update evervec.analysis_cache set value = jsonb_set(value, '{rows,0,1}', '0.75')"
    )

    again = answer(ann.get(DRAGONS))
    others = [
        answer(full.user(user).get(DRAGONS + more))["games"]
        for user, more in (
            ("bob", ""),
            ("ann", "&limit=3"),
            ("ann", "&min_similarity=0.1"),
            ("ann", "s"),
        )
    ]

    assert again["games"] == [first["games"][0] | {"similarity": 0.75}]
    assert 0.75 not in [game["similarity"] for games in others for game in games]
    assert sorted(entry["user_id"] for entry in kept(full)) == ["ann"] * 4 + ["bob"]
    assert {round(entry["time_left"].total_seconds() / 3600) for entry in kept(full)} == {24}


def test_words_are_embedded_once_however_often_they_are_sought(full: Shop) -> None:
    full.server.requests.clear()
    for path in (DRAGONS, DRAGONS, f"{DRAGONS}&limit=3"):
        full.user("ann").get(path)

    assert len(full.server.requests) == 1


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ("insert into user_games (user_name, game_id) values ('ann', 2)", [1, 2]),
        ("delete from user_games where game_id = 1", []),
        ("update user_games set game_id = 2 where (user_name, game_id) = ('ann', 1)", [2]),
        ("delete from games where id = 1", []),
        ("update games set (title, description) = ('Cargo', 'stars') where id = 1", []),
    ],
)
def test_an_answer_is_used_no_longer_than_it_is_true(
    full: Shop, change: str, found: list[int]
) -> None:
    ann = full.user("ann")
    assert [game["id"] for game in answer(ann.get(DRAGONS))["games"]] == [1]

    full.conn.execute(change.encode())
    work(full.url)

    assert [game["id"] for game in answer(ann.get(DRAGONS))["games"]] == found


def test_similar_games_are_found_without_words(full: Shop) -> None:
    found = answer(full.user("ann").get("/games/1/similar"))["games"]

    assert found[0]["id"] == 2


@pytest.mark.parametrize(
    "path",
    [
        "/games/99/similar",
        "/user/library/search",
        "/user/library/search?q=%20",
        "/user/library/search?q=dragon&limit=-1",
    ],
)
def test_a_request_that_makes_no_sense_is_a_sentence(full: Shop, path: str) -> None:
    assert answer(full.user("ann").get(path), 400)["error"]


# -- what users like ---------------------------------------------------------------------------


def test_a_user_has_one_preference_of_each_type(full: Shop) -> None:
    for _ in range(2):
        assert full.library.learn("ann")

    found = answer(full.user("ann").get("/user/preferences"))["preferences"]
    with pytest.raises(psycopg.errors.UniqueViolation):
        full.conn.execute(
            "insert into evervec.user_preference select * from evervec.user_preference"
        )

    assert [(p["type"], p["sample_size"]) for p in found] == [
        ("default", 3),
        ("playing", 3),
        ("rating", 2),
    ]
    assert {p["dimensions"] for p in found} == {1536}


def test_confidence_is_a_half_at_first_and_grows_with_the_sample(full: Shop) -> None:
    full.library.learn("ann")
    found = {p["type"]: p for p in full.library.preferences("ann")}
    (unknown,) = rows(full.conn, "select * from evervec.recommend('zoe', 'games', 1)") or [
        {"confidence": 0.5}
    ]
    default = value(
        full.conn,
        "select column_default from information_schema.columns"
        " where table_name = 'user_preference' and column_name = 'confidence'",
    )

    assert found["default"]["confidence"] == pytest.approx((3 + 5) / (3 + 10))
    assert unknown["confidence"] == 0.5
    assert float(default) == 0.5


def test_a_preference_has_hash_and_model_and_goes_with_its_user(full: Shop) -> None:
    full.library.learn("ann")
    hashed = value(
        full.conn,
        "select bool_and(inputs_hash is not null and m.name = 'text-embedding-3-small')"
        "  from evervec.user_preference join evervec.model m using (model_id)",
    )

    full.conn.execute("delete from users where name = 'ann'")

    assert hashed
    assert full.library.preferences("ann") == []


def test_what_a_user_owns_is_not_recommended(full: Shop) -> None:
    full.library.learn("ann")

    found = answer(full.user("ann").get("/user/recommendations"))["games"]

    assert [game["id"] for game in found] == [2, 5]


# -- migrations and story ----------------------------------------------------------------------


def test_all_of_it_can_be_rolled_back(full: Shop) -> None:
    full.library.learn("ann")

    undone = stage.roll_back(full.url, story.MIGRATIONS)

    left = rows(
        full.conn,
        "select relname from pg_class"
        " where relnamespace = 'public'::regnamespace and position('yoyo' in relname) = 0",
    )
    assert undone == ["game_library_0002_embeddings", "game_library_0001_tables"]
    assert left == []
    for table in ("source", "processing_queue", "user_preference", "signal", "filter"):
        assert value(full.conn, f"select count(*) from evervec.{table}") == 0
    assert stage.apply(full.url, story.MIGRATIONS, {"game_library.model": "local"}) == undone[::-1]


def test_the_embeddings_can_be_rolled_back_alone(full: Shop) -> None:
    stage.roll_back(full.url, story.MIGRATIONS, most=1)

    full.conn.execute("update games set title = 'As if evervec had never been' where id = 1")

    assert value(full.conn, "select count(*) from games") == 5
    assert value(full.conn, "select count(*) from pg_trigger where not tgisinternal") == 0


def test_the_same_seed_makes_the_same_catalogue(shop: Shop) -> None:
    shop.conn.execute("truncate games, genres, users cascade")
    size = catalogue.Size(games=30, people=3, library=6)
    text = (
        "select md5(string_agg(g::text, '' order by title))"
        "  from (select title, description, released_on from games) g"
    )

    first = catalogue.fill(shop.url, size)
    made = value(shop.conn, text)
    shop.conn.execute("truncate games, genres, users cascade")

    assert catalogue.fill(shop.url, size) == first
    assert value(shop.conn, text) == made
    assert (first["games"], first["users"], first["user_games"]) == (30, 3, 18)


def test_the_story_is_told_offline(
    url: str,
    offline: None,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("EVERVEC_PROFILES", story.PROFILES["local"])
    told = io.StringIO()

    story.run(Console(file=told, width=120), url, catalogue.Size(games=60, people=4, library=20))

    text = told.getvalue()
    assert "\x1b" not in text
    assert capfd.readouterr() == ("", "")
    for line in (
        '400: {"error": "not configured"}',
        '"generated": 20, "processed": 20',
        '"generated": 40, "processed": 40',
        "HNSW index valid",
        "of its game: yes",
        '{"cleared": true}',
        "default: of 20 games, confidence 0.83",
    ):
        assert line in text
