"""near_duplicates: each pair once, slice by slice, through the index, as the caller."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg.types.json import Jsonb

from tests.support.cluster import Database
from tests.support.roles import role, session_of
from tests.support.sql_worker import add_toy_model, raises, rows, value

ROWS, DIMENSIONS = 300, 8


@pytest.fixture(params=["cosine", "l2", "inner_product", "l1"])
def distance(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def doc(conn: psycopg.Connection) -> psycopg.Connection:
    return documents(conn, "cosine")


def documents(conn: psycopg.Connection, distance: str) -> psycopg.Connection:
    """doc(id), manual storage: vectors in clusters of one to five that are nearly the same."""
    chance = random.Random(0)  # noqa: S311 - the same rows each time
    vectors: list[list[float]] = []
    while len(vectors) < ROWS:
        centre = [chance.gauss(0, 1) for _ in range(DIMENSIONS)]
        for _ in range(chance.randint(1, 5)):
            vectors.append([x + chance.gauss(0, 0.02) for x in centre])
    chance.shuffle(vectors)
    conn.execute("select evervec.add_model('eight', 'toy', %s)", [DIMENSIONS])
    conn.execute("create table doc (id integer primary key)")
    conn.execute("insert into doc select generate_series(1, %s)", [ROWS])
    conn.execute(
        "select evervec.track('doc', p_model => 'eight', p_storage => 'manual', p_distance => %s)",
        [distance],
    )
    conn.execute(
        "select evervec.put_embeddings('doc',"
        " array(select jsonb_build_object('id', g) from generate_series(1, %s) g),"
        " %s::text[]::vector[])",
        [ROWS, [str(v) for v in vectors[:ROWS]]],
    )
    conn.execute("select evervec.build_index('doc'); analyze doc_embedding")
    return conn


def walk(conn: psycopg.Connection, threshold: float, limit: int, **more: int) -> list[Any]:
    """All slices; (smaller key, other key, similarity)."""
    after, found = None, []
    for _ in itertools.count():
        part = rows(
            conn,
            "select row_key::text, other_key, (row_key ->> 'id')::integer as a,"
            " (other_key ->> 'id')::integer as b, similarity, distance"
            " from evervec.near_duplicates('doc', %s::real, %s::jsonb, %s, %s)",
            threshold,
            after,
            limit,
            more.get("neighbours", 50),
        )
        pairs = [row for row in part if row["other_key"] is not None]
        found += [(row["a"], row["b"], row["similarity"]) for row in pairs]
        assert all(row["distance"] is not None for row in pairs)
        if len(pairs) == len(part):
            return found
        assert part[-1]["other_key"] is None
        assert len(part) == len(pairs) + 1
        after = part[-1]["row_key"]
    raise AssertionError


EXACT = """
    select a.id, b.id, s.similarity
      from doc_embedding a
      join doc_embedding b on a.id < b.id
      cross join lateral (select {similarity} as similarity) s
     where s.similarity >= %s
     order by a.id, b.id
"""
SIMILARITY = {
    "cosine": ("1 - (a.embedding <=> b.embedding)", 0.95),
    "l2": ("1 / (1 + (a.embedding <-> b.embedding))", 0.85),
    "inner_product": ("-(a.embedding <#> b.embedding)", 12.0),
    "l1": ("1 / (1 + (a.embedding <+> b.embedding))", 0.75),
}


@pytest.mark.parametrize("limit", [1000, 300, 37])
def test_every_pair_is_found_once_whatever_the_slices(
    conn: psycopg.Connection, distance: str, limit: int
) -> None:
    documents(conn, distance)
    similarity, threshold = SIMILARITY[distance]
    exact = conn.execute(EXACT.format(similarity=similarity).encode(), [threshold]).fetchall()
    assert len(exact) > 25

    found = walk(conn, threshold, limit)

    assert sorted((a, b) for a, b, _ in found) == [(row[0], row[1]) for row in exact]
    assert [a for a, _, _ in found] == sorted(a for a, _, _ in found)
    for (_, _, got), row in zip(sorted(found), exact, strict=True):
        assert got == pytest.approx(row[2], abs=1e-4)


def test_each_row_is_looked_up_through_the_index(doc: psycopg.Connection) -> None:
    doc.execute("insert into doc select generate_series(301, 5000)")
    doc.execute(
        "select evervec.put_embeddings('doc',"
        " array(select jsonb_build_object('id', g) from generate_series(301, 5000) g),"
        " array(select array(select random() from generate_series(1, 8) where g > 0)::vector"
        "         from generate_series(301, 5000) g))"
    )
    doc.execute("vacuum analyze doc_embedding")
    query = str(value(doc, "select query from evervec.duplicates_of('doc', null)"))
    for number, argument in ((4, "0.95"), (3, "51"), (2, "1000")):
        query = query.replace(f"${number}", argument)
    plan = "\n".join(row[0] for row in doc.execute(f"explain {query}".encode()).fetchall())

    assert "Index Scan using doc_embedding_embedding_idx" in plan
    assert "Index Scan using doc_embedding_pkey" in plan
    assert "Seq Scan" not in plan


def test_more_duplicates_than_neighbours_are_left_out(doc: psycopg.Connection) -> None:
    few = walk(doc, 0.95, 1000, neighbours=1)
    every = walk(doc, 0.95, 1000)
    assert 0 < len(few) < len(every)
    assert {pair[:2] for pair in few} < {pair[:2] for pair in every}


def test_settings_of_the_session_are_put_back(doc: psycopg.Connection) -> None:
    with doc.transaction():
        doc.execute("set local hnsw.ef_search = 33; set local hnsw.iterative_scan = relaxed_order")
        walk(doc, 0.9, 100)
        assert value(doc, "show hnsw.ef_search") == "33"
        assert value(doc, "show hnsw.iterative_scan") == "relaxed_order"


@pytest.mark.parametrize(
    ("arguments", "state", "message"),
    [
        ("'nowhere'", "VE101", "does not exist"),
        ("'doc', null", "VE204", "needs a threshold"),
        ("'doc', 'NaN'", "VE204", "needs a threshold"),
        ("'doc', p_limit => 0", "VE204", "limits of 1 or more"),
        ("'doc', p_limit => null", "VE204", "limits of 1 or more"),
        ("'doc', p_neighbours => -1", "VE204", "limits of 1 or more"),
        ("'doc', p_after => '{}'", "VE202", "is not a key"),
    ],
)
def test_bad_arguments(doc: psycopg.Connection, arguments: str, state: str, message: str) -> None:
    with raises(doc, state, message):
        doc.execute(f"select * from evervec.near_duplicates({arguments})".encode())


def test_extremes(doc: psycopg.Connection) -> None:
    query = "select count(*) from evervec.near_duplicates('doc', {})"
    assert value(doc, query.format("1.5")) == 0
    assert value(doc, query.format("'Infinity'")) == 0
    assert value(doc, query.format("-1, p_neighbours => 2147483647")) == ROWS * (ROWS - 1) // 2
    assert value(doc, query.format("0.5, p_after => '{\"id\": 300}'")) == 0
    doc.execute("truncate doc")
    assert value(doc, query.format("0.5")) == 0


def test_keys_of_several_columns_and_vectors_in_columns(conn: psycopg.Connection) -> None:
    """A NULL vector, and a zero one, which has no direction, are like no other."""
    add_toy_model(conn)
    conn.execute(
        """
        create table line ("Order" text, at timestamptz, embedding vector(4), body text,
                           primary key ("Order", at));
        select evervec.track('line', '{body}', p_model => 'toy', p_storage => 'column');
        insert into line
        select o, t, v from (values
            ('b', timestamptz '2026-01-01', '[1,2,3,4]'::vector),
            ('b', '2026-01-02', '[1,2,3,4.01]'),
            ('a', '2026-01-03', '[1,2,3,4.02]'), ('c', '2026-01-01', null),
            ('d', '2026-01-01', '[0,0,0,0]'), ('e', '2026-01-01', '[4,-3,2,-1]')) x (o, t, v);
        set timezone = 'Asia/Tokyo';
        """
    )
    pairs = rows(conn, "select row_key, other_key from evervec.near_duplicates('line')")
    named = [(p["row_key"]["Order"], p["other_key"]["Order"]) for p in pairs]
    assert sorted(named) == [("a", "b"), ("a", "b"), ("b", "b")]
    slices = rows(conn, "select * from evervec.near_duplicates('line', p_limit => 2)")
    rest = rows(
        conn,
        "select * from evervec.near_duplicates('line', p_after => %s, p_limit => 4)",
        Jsonb(slices[-1]["row_key"]),
    )
    assert len(slices) + len(rest) == len(pairs) + 1


@pytest.fixture
def tenant(superuser_conn: psycopg.Connection) -> Iterator[str]:
    with role(superuser_conn) as name:
        yield name


def test_a_tenant_finds_pairs_of_its_own_rows_and_all_of_them(
    doc: psycopg.Connection, database: Database, tenant: str
) -> None:
    doc.execute(
        f"""
        alter table doc enable row level security;
        create policy own on doc using (id % 3 = 0);
        grant select on doc to {tenant};
        select evervec.protect('doc'), evervec.grant_access('{tenant}', 'reader');
        """
    )
    every = {pair[:2] for pair in walk(doc, 0.95, 1000)}
    with session_of(database, tenant) as conn:
        own = {pair[:2] for pair in walk(conn, 0.95, 20)}
    assert own == {(a, b) for a, b in every if a % 3 == 0 and b % 3 == 0}
    assert own
