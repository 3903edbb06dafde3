"""Preferences are what docs/people.md says: against numpy, on made-up users; and never NaN.

EVERVEC_TEST_INTERACTIONS: how many one user has at most (default 100,000).
"""

from __future__ import annotations

import math
import os
import zlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import psycopg
import pytest
from hypothesis import given, seed, settings
from hypothesis import strategies as st
from pgvector.psycopg import register_vector
from psycopg.types.json import Jsonb

from tests.support.cluster import Cluster
from tests.support.preference_model import (
    COLLECTION,
    EVERVEC,
    TYPES,
    Did,
    Preference,
    Said,
    Vector,
    prefer,
    weigh,
)
from tests.support.sql_worker import Row, rows, value

MANY = int(os.environ.get("EVERVEC_TEST_INTERACTIONS", "100000"))
DIMENSIONS = (3, 16, 384, 4000)
ROWS = 12
SIGNALS = {"shelf": 1.0, "blame": -0.5}
PRESETS = {"default": EVERVEC, "collection": COLLECTION}
SHELF = """
create table {} (user_id text, id int, rating float8, frequency text, amount float8,
                 weight float8, at timestamptz)
"""

ages = st.one_of(st.integers(0, 100).map(float), st.just(-0.5))
numbers = st.sampled_from([None, 0.0, 1.0, 2.0, 7.5, 1e-12, 1e7, -3.0, 1e6])
interactions = st.builds(
    Did,
    st.integers(1, ROWS),
    st.sampled_from([*TYPES, "rating"]),
    st.sampled_from([None, 1.0, 2.0, 3.5, 4.0, 5.0]),
    ages,
)
statements = st.builds(
    Said,
    st.integers(1, ROWS),
    st.sampled_from([None, 1.0, 2.0, 3.0, 4.5, 5.0]),
    st.sampled_from([None, "daily", "weekly", "special", "never heard of"]),
    numbers,
    st.one_of(st.none(), st.sampled_from([0.0, 0.5, 1.0, -1.0, 1e6])),
    st.one_of(st.none(), st.integers(0, 3000).map(float)),
)
users = st.fixed_dictionaries(
    {
        "done": st.lists(interactions, max_size=25),
        "shelf": st.lists(statements, max_size=6),
        "blame": st.lists(statements, max_size=3),
        "distance": st.sampled_from(["cosine", "l2"]),
        "lengths": st.sampled_from(["one", "various", "extreme"]),
        "missing": st.sets(st.integers(1, ROWS), max_size=ROWS),
        "vectors": st.integers(0, 2**16),
    }
)


@pytest.fixture(scope="module")
def people(cluster: Cluster, template: str) -> Iterator[psycopg.Connection]:
    """item_<dimensions>_<distance>, each of ROWS rows without vectors, with two signals."""
    with (
        cluster.database(template) as database,
        psycopg.connect(database.url, autocommit=True) as conn,
    ):
        register_vector(conn)
        for dimensions in DIMENSIONS:
            conn.execute("select evervec.add_model(%s, 'toy', %s)", [f"m{dimensions}", dimensions])
            for distance in ("cosine", "l2"):
                name = f"item_{dimensions}_{distance}"
                conn.execute(f"create table {name} (id int primary key, title text)")
                conn.execute(f"insert into {name} select g, '' from generate_series(1, {ROWS}) g")
                conn.execute(
                    "select evervec.track(%s, p_columns => '{title}', p_model => %s,"
                    " p_distance => %s, p_index => 'none', p_backfill => false)",
                    [name, f"m{dimensions}", distance],
                )
                for signal, weight in SIGNALS.items():
                    table = f"{signal}_{name}"
                    conn.execute(SHELF.format(table))
                    conn.execute(
                        "select evervec.add_signal(%s, %s, %s, %s)",
                        [name, signal, f"select * from public.{table}", weight],
                    )
                conn.execute(
                    "select evervec.add_preference(%s, 'collection', 'collection')", [name]
                )
        conn.execute(
            "create table evervec.interaction_all partition of evervec.interaction default"
        )
        yield conn


def made_up(
    count: int, dimensions: int, lengths: str, distance: str, number: int
) -> dict[int, Vector]:
    """Vectors by row, as float32 has them; shape (dimensions,) each."""
    dice = np.random.default_rng(number)
    vectors = dice.normal(0.3, 1, (count, dimensions))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    scales = {"one": [1.0], "various": [0.3, 1.0, 7.0], "extreme": [1e-12, 1.0, 1e12]}[lengths]
    vectors *= dice.choice(scales, count)[:, None]
    if distance == "l2" and lengths != "one":
        vectors[0] = 0
    stored = vectors.astype(np.float32).astype(np.float64)
    return {row + 1: stored[row] for row in range(count)}


def put(conn: psycopg.Connection, source: str, vectors: Mapping[int, Vector]) -> None:
    conn.execute("truncate evervec.source_centre, evervec.user_preference, evervec.interaction")
    conn.execute(f"truncate {source}_embedding")
    with conn.cursor() as cursor:
        cursor.executemany(
            f"insert into {source}_embedding (id, content_hash, model_id, embedding)"
            " select %s, '', s.model_id, %s from evervec.source s where s.name = %s",
            [(row, vector.astype(np.float32), source) for row, vector in vectors.items()],
        )


def do(conn: psycopg.Connection, source: str, user: str, done: Sequence[Did]) -> None:
    with conn.cursor() as cursor:
        cursor.executemany(
            "insert into evervec.interaction"
            " (user_id, source_id, row_key, type, value, occurred_at)"
            " select %s, s.source_id, %s, %s, %s, now() - %s * interval '1 day'"
            " from evervec.source s where s.name = %s",
            [(user, Jsonb({"id": d.row}), d.type, d.value, d.age, source) for d in done],
        )


def say(conn: psycopg.Connection, table: str, user: str, said: Sequence[Said]) -> None:
    conn.execute(f"truncate {table}")
    with conn.cursor() as cursor:
        cursor.executemany(
            f"insert into {table} values (%s, %s, %s, %s, %s, %s, now() - %s * interval '1 day')",
            [(user, s.row, s.rating, s.frequency, s.amount, s.weight, s.age) for s in said],
        )


def learned(conn: psycopg.Connection, user: str, kind: str) -> list[Row]:
    """What is known of a user; embedding: an array of shape (dimensions,), or None."""
    return rows(
        conn,
        "select embedding::real[]::float8[] as embedding, share, strength, confidence,"
        " sample_size, liked"
        " from evervec.user_preference where user_id = %s and preference_type = %s order by taste",
        user,
        kind,
    )


def check(found: Row, due: Preference | None, distance: str) -> None:
    """The row is what it is to be, as closely as rounding lets it."""
    if due is None:
        assert found["embedding"] is None
        assert (found["strength"], found["confidence"], found["sample_size"]) == (0.5, 0.5, 0)
        return
    assert found["embedding"] is not None
    vector = np.asarray(found["embedding"], dtype=np.float64)
    assert np.isfinite(vector).all()
    length = np.linalg.norm(vector)
    assert length == pytest.approx(1 if distance == "cosine" else due.length, rel=1e-3)
    assert np.linalg.norm(vector / length - due.direction) * due.clarity < 2e-3
    assert found["strength"] == pytest.approx(due.strength, abs=1e-3)
    assert found["confidence"] == pytest.approx(due.confidence, abs=1e-6)
    assert found["sample_size"] == due.sample_size
    liked = [due.weights[key["id"]] for key in found["liked"]]
    assert liked == sorted((w for w in due.weights.values() if w > 0), reverse=True)


@pytest.mark.parametrize("dimensions", DIMENSIONS)
def test_peer_34_preferences_are_what_the_formulas_say(
    people: psycopg.Connection, dimensions: int
) -> None:
    @seed(zlib.crc32(str(dimensions).encode()))
    @settings(settings.get_profile("histories"), max_examples=40 if dimensions < 1000 else 8)
    @given(users)
    def agree(user: dict[str, Any]) -> None:
        distance = user["distance"]
        source = f"item_{dimensions}_{distance}"
        vectors = made_up(ROWS, dimensions, user["lengths"], distance, user["vectors"])
        vectors = {row: v for row, v in vectors.items() if row not in user["missing"]}
        with people.transaction(force_rollback=True):
            put(people, source, vectors)
            do(people, source, "ann", user["done"])
            for signal in SIGNALS:
                say(people, f"{signal}_{source}", "ann", user[signal])
            said = {weight: user[signal] for signal, weight in SIGNALS.items()}
            due = {
                kind: prefer(weigh(user["done"], said, rules), vectors)
                for kind, rules in PRESETS.items()
            }

            known = value(people, "select evervec.update_user_embedding('ann', %s)", source)

            assert known == any(due.values())
            alone = {kind: learned(people, "ann", kind) for kind in PRESETS}
            for kind in PRESETS:
                check(alone[kind][0], due[kind], distance)
            people.execute("delete from evervec.user_preference")
            people.execute("select evervec.update_user_embeddings(%s)", [source])
            if user["done"] or user["shelf"] or user["blame"]:
                together = {kind: learned(people, "ann", kind) for kind in PRESETS}
                assert str(together) == str(alone)

    agree()


def ring(count: int, dimensions: int = 3) -> dict[int, Vector]:
    return made_up(count, dimensions, "one", "cosine", 7)


@pytest.mark.parametrize(
    "done",
    [
        [Did(1, "view", None, 0)],
        [Did(3, "dismiss", None, 1), Did(4, "dismiss", None, 2)],
        [Did(2, "rating", 1.0, 1)],
        [Did(n, "favorite", None, 89.0) for n in range(1, ROWS + 1)],
    ],
    ids=["one interaction", "dislikes only", "one bad rating", "every row alike"],
)
def test_peer_34_the_least_and_the_plainest(people: psycopg.Connection, done: list[Did]) -> None:
    with people.transaction(force_rollback=True):
        put(people, "item_3_cosine", ring(ROWS))
        do(people, "item_3_cosine", "ann", done)
        say(people, "shelf_item_3_cosine", "ann", [])
        say(people, "blame_item_3_cosine", "ann", [])
        assert value(people, "select evervec.update_user_embedding('ann', 'item_3_cosine')")
        check(
            learned(people, "ann", "default")[0],
            prefer(weigh(done, {}, EVERVEC), ring(ROWS)),
            "cosine",
        )


def test_peer_34_likes_and_dislikes_that_cancel_out_are_no_preference(
    people: psycopg.Connection,
) -> None:
    with people.transaction(force_rollback=True):
        same = ring(1)[1]
        put(people, "item_3_cosine", {1: same, 2: same, 3: ring(3)[3]})
        said = [Said(1, None, None, None, 1.0, None), Said(2, None, None, None, -1.0, None)]
        say(people, "shelf_item_3_cosine", "ann", said)
        say(people, "blame_item_3_cosine", "ann", [])

        assert not value(people, "select evervec.update_user_embedding('ann', 'item_3_cosine')")
        check(learned(people, "ann", "default")[0], None, "cosine")


def test_peer_34_a_user_of_very_many_interactions(people: psycopg.Connection) -> None:
    with people.transaction(force_rollback=True):
        vectors = ring(ROWS, 384)
        put(people, "item_384_cosine", vectors)
        people.execute(
            "insert into evervec.interaction (user_id, source_id, row_key, type, occurred_at)"
            " select 'ann', s.source_id, jsonb_build_object('id', 1 + g %% %s),"
            "        case when g %% 3 = 0 then 'dismiss' else 'view' end,"
            "        now() - (g %% 90) * interval '1 day'"
            " from generate_series(1, %s) g, evervec.source s where s.name = 'item_384_cosine'",
            [ROWS, MANY],
        )
        done = [
            Did(1 + g % ROWS, "dismiss" if g % 3 == 0 else "view", None, g % 90)
            for g in range(1, MANY + 1)
        ]

        assert value(people, "select evervec.update_user_embedding('ann', 'item_384_cosine')")
        check(
            learned(people, "ann", "default")[0],
            prefer(weigh(done, {}, EVERVEC), vectors),
            "cosine",
        )


def test_peer_34_numbers_at_the_edges_of_their_types_make_no_nan(
    people: psycopg.Connection,
) -> None:
    """Not what they count, but that something is said, and no error."""
    edges = [math.nan, math.inf, -math.inf, 1e308, -1e308, 5e-324, 1e-300, 0.0]
    with people.transaction(force_rollback=True):
        put(people, "item_3_l2", made_up(ROWS, 3, "extreme", "l2", 3))
        for one in edges:
            for other in edges:
                said = [
                    Said(3, one, "daily", other, one, None),
                    Said(4, other, "", one, other, 1.0),
                    Said(5, 3.0, None, None, 1.0, 1e6),
                ]
                say(people, "shelf_item_3_l2", "ann", said)
                people.execute("select evervec.update_user_embedding('ann', 'item_3_l2')")
                for kind in PRESETS:
                    for row in learned(people, "ann", kind):
                        assert row["embedding"] is None or np.isfinite(row["embedding"]).all()
                        assert 0 <= row["strength"] <= 1
                        assert 0 <= row["confidence"] <= 1
