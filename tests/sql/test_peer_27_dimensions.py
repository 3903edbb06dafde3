"""Vectors of more dimensions than an index takes as they are: halved, by their signs, in lists."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import psycopg
import pytest

from tests.sql.test_typed_search import asked_the_index
from tests.support.sql_worker import claim, raises, rows, value
from tests.support.vectors import SPARSE

ROWS = 320


def vector(text: str, dimensions: int) -> str:
    """A vector of nothing but the text, in pgvector's text form; shape (dimensions,).

    Of a few meanings that all dimensions share, as vectors of real texts are.
    """
    meanings = np.random.default_rng(dimensions).normal(size=(dimensions, 12))
    members = meanings @ np.random.default_rng(list(text.encode())).normal(size=12)
    return "[" + ",".join(f"{member:.4f}" for member in members) + "]"


@dataclass(frozen=True)
class Shape:
    """A source item(id, title, year) with its vectors, and a vector that is searched by."""

    conn: psycopg.Connection
    query: str
    target: str

    def nearest(self, condition: str = "true", limit: int = 5) -> list[int]:
        """Keys by exact search."""
        return [
            row["id"]
            for row in rows(
                self.conn,
                f"select id from item i join {self.target} e using (id) where {condition}"
                f" order by (e.embedding::vector <=> '{self.query}') + 0 limit {limit}",
            )
        ]


def build(conn: psycopg.Connection, dimensions: int, options: str, storage: str = "table") -> Shape:
    """Track, embed and index 320 items, as a worker would."""
    conn.execute("select evervec.add_model('wide', 'toy', %s)", [dimensions])
    conn.execute(
        "create table item (id integer primary key, title text, year integer);"
        f"insert into item select g, 'Item ' || g, 1900 + g % 10 from generate_series(1, {ROWS}) g"
    )
    if storage == "table":
        options += ", p_text_search => 'simple'"
    conn.execute(
        "select evervec.track('item', '{title}', p_model => 'wide',"
        f" p_storage => '{storage}', {options})"
    )
    target = value(conn, "select target::text from evervec.source")
    conn.execute(SPARSE.format(target))
    while jobs := claim(conn, 80):
        done = rows(
            conn,
            "select * from evervec.complete_jobs(%s, %s, %s::vector[])",
            jobs[0]["lease_token"],
            [job["job_id"] for job in jobs],
            [vector(job["content"], dimensions) for job in jobs],
        )
        assert {row["outcome"] for row in done} == {"completed"}
    conn.execute("select evervec.build_index('item')")
    conn.execute("select evervec.add_filter('item', 'most', 'year > 1900')")
    query = vector("what is sought", dimensions)
    conn.execute("select evervec.cache_query('wide', 'what is sought', %s::vector)", [query])
    conn.execute(f"vacuum analyze {target}")
    conn.execute("analyze item")
    return Shape(conn, query, str(target))


SHAPES = {
    "1536 by signs": (1536, "p_precision => 'bit'", "table"),
    "1536 in lists": (1536, "p_index => 'ivfflat'", "table"),
    "2048": (2048, "p_index => 'hnsw'", "table"),
    "2048 in a column": (2048, "p_index => 'hnsw'", "column"),
    "2048 halved": (2048, "p_vector_type => 'halfvec'", "table"),
    "2048 halved in a column": (2048, "p_vector_type => 'halfvec'", "column"),
    "3072": (3072, "p_index => 'hnsw'", "table"),
    "3072 in a column": (3072, "p_index => 'hnsw'", "column"),
    "4000": (4000, "p_index => 'hnsw'", "table"),
    "4096 by signs": (4096, "p_index => 'hnsw'", "table"),
    "4096 by signs in a column": (4096, "p_index => 'hnsw'", "column"),
    "4096 by signs, halved": (4096, "p_vector_type => 'halfvec'", "table"),
    "4096 by signs, in lists": (4096, "p_index => 'ivfflat'", "table"),
}


@pytest.mark.parametrize("shape_name", SHAPES)
def test_peer_27_every_search_asks_the_index_and_finds_what_is_nearest(
    conn: psycopg.Connection, shape_name: str
) -> None:
    dimensions, options, storage = SHAPES[shape_name]
    shape = build(conn, dimensions, options, storage)
    # Of so few rows nearest_item would sort all, if it were let.
    conn.execute("set hnsw.ef_search = 60; set ivfflat.probes = 10; set enable_sort = off")
    # Or the second of two searches would ask nothing.
    conn.execute("update evervec.setting set value = '\"0\"' where name = 'search_cache_keep'")
    given = f"'{shape.query}'::vector"
    everywhere, most = shape.nearest(), shape.nearest("i.year > 1900", 1)
    calls = {
        f"select id from evervec.nearest_item({given}, 5)": everywhere,
        f"select id from evervec.find_similar_item({given}, 5)": everywhere,
        f"select row_key -> 'id' from evervec.find_similar('item', {given}, 5)": everywhere,
        f"select id from evervec.find_similar_item_most({given}, 1)": most,
        "select row_key -> 'id' from evervec.search('item', 'what is sought', 5)": everywhere,
    }
    if storage == "table":
        hybrid = "evervec.hybrid_search('item', 'what is sought', p_limit => 5)"
        calls[f"select row_key -> 'id' from {hybrid}"] = everywhere
    for call, expected in calls.items():
        found = [row[0] for row in conn.execute(call.encode()).fetchall()]
        assert found == expected, call
        # Of so many as hybrid_search wants twenty times is more than there are.
        if "hybrid" not in call or "signs" not in shape_name:
            assert asked_the_index(conn, call) > 0, call


def test_peer_27_a_row_s_own_vector_finds_its_likes(conn: psycopg.Connection) -> None:
    shape = build(conn, 2048, "p_vector_type => 'halfvec'")
    (stored,) = rows(
        conn, "select embedding::text from evervec.get_embedding('item', '{\"id\": 7}')"
    )
    like = "select row_key -> 'id' from evervec.find_similar_to('item', '{\"id\": 7}', 5)"

    assert asked_the_index(conn, like) > 0
    found = [row[0] for row in conn.execute(like.encode()).fetchall()]
    assert found == Shape(conn, stored["embedding"], shape.target).nearest("i.id <> 7")


@pytest.mark.parametrize(
    "options", ["p_precision => 'bit'", "p_vector_type => 'halfvec'", "p_index => 'ivfflat'"]
)
def test_near_duplicates_and_diversity_know_every_kind_of_index(
    conn: psycopg.Connection, options: str
) -> None:
    build(conn, 300, options)
    first = "select embedding from item_embedding where id = 1"
    conn.execute(f"update item_embedding set embedding = ({first}) where id = 200".encode())
    pairs = (
        "select row_key, other_key from evervec.near_duplicates('item', 0.99, p_neighbours => 1)"
    )
    assert rows(conn, pairs) == [{"row_key": {"id": 1}, "other_key": {"id": 200}}]
    assert asked_the_index(conn, pairs) > 0

    likes = f"select id from evervec.find_similar_item(({first})::vector, 2, p_diversity => {{}})"
    alike, diverse = (rows(conn, likes.format(weight)) for weight in (0, 1))
    assert {row["id"] for row in alike} == {1, 200}
    assert diverse[0] == alike[0]
    assert {row["id"] for row in diverse} != {1, 200}


REFUSED = {
    "p_precision => 'full'": (2048, "p_precision, with 2048 dimensions of type vector"),
    "p_precision => 'half'": (4001, "p_precision, with 4001 dimensions of type vector"),
    "p_precision => 'quarter'": (3, "p_precision cannot be 'quarter'"),
    "p_precision => 'full', p_vector_type => 'halfvec'": (3, "of type halfvec"),
    "p_vector_type => 'sparsevec'": (3, "p_vector_type cannot be 'sparsevec'"),
    "p_index => 'btree'": (3, "p_index cannot be 'btree'"),
    "p_distance => 'l1', p_precision => 'bit'": (3, "and distance l1"),
    "p_distance => 'l1', p_vector_type => 'vector'": (4001, "p_index, with 4001 dimensions"),
    "p_distance => 'l1', p_index => 'ivfflat'": (3, "p_index, with 3 dimensions"),
    "p_index_options => '[]'": (3, "p_index_options cannot be '[]'"),
    "p_index_options => '{\"lists\": 3}'": (3, "a member of p_index_options"),
    "p_index_options => '{\"rerank\": 3}'": (3, "a member of p_index_options"),
    "p_index_options => '{\"m\": 1}'": (3, "p_index_options, m, cannot be '1'"),
    'p_index_options => \'{"m": "16"}\'': (3, "p_index_options, m, cannot be"),
    "p_index_options => '{\"m\": 16.5}'": (3, "p_index_options, m, cannot be '16.5'"),
    "p_index_options => '{\"m\": 40}'": (3, "ef_construction, cannot be '64'"),
    "p_index => 'ivfflat', p_index_options => '{\"lists\": 0}'": (3, "p_index_options, lists"),
    "p_index => 'none', p_index_options => '{\"m\": 16}'": (3, "a member of p_index_options"),
}


@pytest.mark.parametrize(
    ("options", "dimensions", "message"),
    [(options, dimensions, message) for options, (dimensions, message) in REFUSED.items()],
)
def test_an_index_that_cannot_be_is_refused(
    conn: psycopg.Connection, options: str, dimensions: int, message: str
) -> None:
    conn.execute("select evervec.add_model('wide', 'toy', %s)", [dimensions])
    conn.execute("create table item (id integer primary key, title text)")
    with raises(conn, "VE111", message):
        conn.execute(
            f"select evervec.track('item', '{{title}}', p_model => 'wide', {options})".encode()
        )


def indexes(conn: psycopg.Connection) -> list[str]:
    """What stands over the vectors: CREATE INDEX from USING on, invalid ones marked."""
    return [
        row["definition"]
        for row in rows(
            conn,
            "select regexp_replace(pg_get_indexdef(i.indexrelid), '^.* USING ', '')"
            "       || case when i.indisvalid then '' else ' invalid' end as definition"
            "  from pg_index i join pg_class c on c.oid = i.indexrelid"
            "  join pg_am a on a.oid = c.relam where a.amname in ('hnsw', 'ivfflat')"
            " order by i.indexrelid",
        )
    ]


def steps(conn: psycopg.Connection) -> Iterator[str]:
    """The statements of index_statement, each executed before the next is asked for."""
    while statement := value(conn, "select evervec.index_statement('item')"):
        yield statement
        conn.execute(statement)


def test_a_former_index_is_used_until_another_precision_is_built(conn: psycopg.Connection) -> None:
    shape = build(conn, 300, "p_precision => 'full'")
    call = f"select id from evervec.find_similar_item('{shape.query}', 5)"
    conn.execute("select evervec.retrack('item', p_precision => 'half')")

    heard = []
    for statement in steps(conn):
        heard.append(statement[:38])
        assert asked_the_index(conn, call) > 0, statement
    assert heard == [
        "create index concurrently item_embeddi",
        "select evervec.replace_index('item');",
    ]

    assert indexes(conn) == ["hnsw (((embedding)::halfvec(300)) halfvec_cosine_ops)"]
    assert asked_the_index(conn, call) > 0
    assert [row["id"] for row in rows(conn, call)] == shape.nearest()


@pytest.mark.parametrize(
    ("options", "definition"),
    [
        (
            'p_index_options => \'{"m": 8, "ef_construction": 32}\'',
            "hnsw (embedding vector_cosine_ops) WITH (ef_construction='32', m='8')",
        ),
        ("p_index => 'ivfflat'", "ivfflat (embedding vector_cosine_ops) WITH (lists='10')"),
        (
            "p_index => 'ivfflat', p_precision => 'half', p_index_options => '{\"lists\": 7}'",
            "ivfflat (((embedding)::halfvec(300)) halfvec_cosine_ops) WITH (lists='7')",
        ),
        (
            "p_precision => 'bit'",
            "hnsw (((binary_quantize(embedding))::bit(300)) bit_hamming_ops)",
        ),
        (
            "p_vector_type => 'halfvec'",
            "hnsw (embedding halfvec_cosine_ops)",
        ),
    ],
)
def test_retrack_rebuilds_the_index_as_another(
    conn: psycopg.Connection, options: str, definition: str
) -> None:
    shape = build(conn, 300, "p_index => 'hnsw'")
    conn.execute(f"select evervec.retrack('item', {options})".encode())
    conn.execute("set ivfflat.probes = 10")

    assert value(conn, "select evervec.build_index('item')") is True

    assert indexes(conn) == [definition]
    assert value(conn, "select evervec.build_index('item')") is False
    call = f"select id from evervec.find_similar_item('{shape.query}', 5)"
    assert asked_the_index(conn, call) > 0
    assert [row["id"] for row in rows(conn, call)] == shape.nearest()


def test_an_index_that_is_wanted_no_more_goes(conn: psycopg.Connection) -> None:
    shape = build(conn, 300, "p_index => 'hnsw'")
    conn.execute("select evervec.retrack('item', p_index => 'none')")
    assert list(steps(conn)) == ["select evervec.replace_index('item');"]
    assert indexes(conn) == []
    found = rows(conn, f"select id from evervec.find_similar_item('{shape.query}', 5)")
    assert [row["id"] for row in found] == shape.nearest()


def test_the_type_of_a_column_of_the_users_own_is_not_changed(conn: psycopg.Connection) -> None:
    build(conn, 20, "p_index => 'hnsw'", "column")
    with raises(conn, "VE111", "p_vector_type, with a column of your own"):
        conn.execute("select evervec.retrack('item', p_vector_type => 'halfvec')")


def test_an_effort_of_its_own_is_put_back(conn: psycopg.Connection) -> None:
    shape = build(conn, 300, "p_index => 'hnsw'")
    conn.execute("update evervec.source set search_effort = 77")
    conn.execute("select evervec.retrack('item')")
    with conn.transaction():
        conn.execute(f"select id from evervec.find_similar_item('{shape.query}', 5)".encode())
        assert value(conn, "show hnsw.ef_search") == "40"
        assert value(conn, "show hnsw.iterative_scan") == "off"


@pytest.mark.parametrize("options", ["p_precision => 'half'", "p_vector_type => 'halfvec'"])
def test_a_member_that_two_bytes_cannot_hold_is_refused(
    conn: psycopg.Connection, options: str
) -> None:
    conn.execute("select evervec.add_model('wide', 'toy', 2)")
    conn.execute("create table item (id integer primary key); insert into item values (1)")
    conn.execute(
        "select evervec.track('item', p_model => 'wide', p_storage => 'manual',"
        f" {options})".encode()
    )
    put = "select evervec.put_embedding('item', '{\"id\": 1}', %s::vector)"
    with raises(conn, "VE201", "no place in two bytes a member"):
        conn.execute(put, ["[1,70000]"])
    conn.execute(put, ["[1,65504]"])
    assert value(conn, "select embedding::text from item_embedding") == "[1,65504]"
