"""find_similar_<source>: typed, exact where it should be, full, diverse; true after renames."""

from __future__ import annotations

from collections.abc import Callable

import psycopg
import pytest

from tests.support.roles import role
from tests.support.sql_worker import TOY_DIMENSIONS, drain, raises, rows, toy_vector, value
from tests.support.vectors import OPERATORS, vector_source, vectors

QUERY = vectors(1, seed=99)[0]
SHORT = toy_vector("x", TOY_DIMENSIONS - 1)
ZERO = "[0,0,0,0]"

KEYS = {
    "integer": "g",
    "bigint": "g * 10000000000",
    "text": "'key ' || g",
    "uuid": "md5(g::text)::uuid",
    "date": "date '2000-01-01' + g",
    "numeric": "g / 7.0",
    "timestamptz": "timestamptz '2000-01-01 00:00+00' + g * interval '1 hour'",
    "integer[]": "array[g, g + 1]",
}
SIMILARITY: dict[str, Callable[[float], float]] = {
    "cosine": lambda d: 1 - d,
    "l2": lambda d: 1 / (1 + d),
    "inner_product": lambda d: -d,
    "l1": lambda d: 1 / (1 + d),
}


def exact(
    conn: psycopg.Connection, target: str, distance: str = "cosine", limit: int = 10
) -> list[tuple[object, float]]:
    """Keys and distances of an exact search, ties in the order of keys."""
    return [
        (row["id"], row["distance"])
        for row in rows(
            conn,
            f"select id, (embedding {OPERATORS[distance]} %s::vector)::float4 as distance"
            f" from {target} where embedding is not null"
            f" order by (embedding {OPERATORS[distance]} %s::vector) + 0, id limit {limit}",
            QUERY,
            QUERY,
        )
    ]


def found(
    conn: psycopg.Connection, limit: int = 10, more: str = "", function: str = "find_similar_item"
) -> list[tuple[object, float]]:
    return [
        (row["id"], row["distance"])
        for row in rows(
            conn, f"select * from evervec.{function}(%s::vector, p_limit => {limit}{more})", QUERY
        )
    ]


def asked_the_index(conn: psycopg.Connection, call: str) -> int:
    """How often the vector index is scanned by a call."""
    scans = (
        "select sum(pg_stat_get_xact_numscans(i.indexrelid)) from pg_index i"
        " join pg_class c on c.oid = i.indexrelid join pg_am a on a.oid = c.relam"
        " where a.amname in ('hnsw', 'ivfflat')"
    )
    with conn.transaction():
        before = value(conn, scans) or 0
        conn.execute(call.encode())
        return int((value(conn, scans) or 0) - before)


@pytest.mark.parametrize("indexed", [False, True])
@pytest.mark.parametrize("storage", ["table", "column", "manual"])
@pytest.mark.parametrize("distance", list(OPERATORS))
def test_results_equal_exact_search_for_every_metric_and_storage(
    conn: psycopg.Connection, distance: str, storage: str, indexed: bool
) -> None:
    target = vector_source(conn, 1500, storage=storage, distance=distance, sparse=True)
    conn.execute("select evervec.build_index('item')")
    if storage == "column":
        # Its rows were there before its fill factor.
        conn.execute("vacuum full item")
    conn.execute(f"set evervec.search_effort = {20 if indexed else 1000}")
    call = f"select * from evervec.find_similar_item('{QUERY}', 5)"
    assert (asked_the_index(conn, call) > 0) is indexed

    truth = exact(conn, target, distance, 5)
    assert found(conn, 5) == truth
    nearest = rows(conn, "select * from evervec.nearest_item(%s::vector, 5)", QUERY)
    assert [row["id"] for row in nearest] == [key for key, _ in truth]
    general = rows(conn, "select * from evervec.find_similar('item', %s::vector, 5)", QUERY)
    assert [(row["row_key"]["id"], row["distance"]) for row in general] == truth
    for row in general:
        assert row["similarity"] == pytest.approx(SIMILARITY[distance](row["distance"]), abs=1e-5)


@pytest.mark.parametrize("storage", ["table", "column"])
@pytest.mark.parametrize("key_type", list(KEYS))
def test_results_equal_exact_search_for_every_key_type(
    conn: psycopg.Connection, key_type: str, storage: str
) -> None:
    target = vector_source(conn, 60, key=KEYS[key_type], key_type=key_type, storage=storage)

    truth = exact(conn, target, limit=60)
    assert found(conn, 60) == truth

    # There are no arrays of arrays.
    given = "evervec.key_item(id)" if key_type == "integer[]" else "id"
    excluded = f", p_exclude => array(select {given} from item order by id limit 50)"
    left = [row["id"] for row in rows(conn, "select id from item order by id offset 50")]
    assert sorted(key for key, _ in found(conn, 60, excluded)) == left  # type: ignore[type-var]
    general = rows(conn, "select * from evervec.find_similar('item', %s::vector, 60)", QUERY)
    assert len(general) == 60


def test_a_key_of_several_columns_is_returned_by_its_columns_and_excluded_by_row_keys(
    conn: psycopg.Connection,
) -> None:
    conn.execute("select evervec.add_model('toy', 'toy', 4)")
    conn.execute(
        """
        create table item (place text, day date, title text, primary key (day, place));
        insert into item select 'p' || g, date '2024-01-01' + g, 't' || g
          from generate_series(1, 5) g;
        select evervec.track('item', '{title}', p_model => 'toy', p_return_columns => '{title}');
        """
    )
    drain(conn)

    every = rows(conn, "select * from evervec.find_similar_item(%s::vector)", QUERY)
    assert list(every[0]) == ["day", "place", "title", "similarity", "distance"]
    assert len(every) == 5
    some = rows(
        conn,
        "select * from evervec.find_similar_item(%s::vector, p_exclude => array(select"
        " evervec.key_item(day, place) from item where title <> 't3'))",
        QUERY,
    )
    assert [row["title"] for row in some] == ["t3"]


def test_the_chosen_columns_come_with_their_types_in_their_order(conn: psycopg.Connection) -> None:
    vector_source(conn, 20, options="p_return_columns => '{year,title,id}'")

    (row,) = rows(conn, "select * from evervec.find_similar_item(%s::vector, 1)", QUERY)

    assert list(row) == ["id", "year", "title", "similarity", "distance"]
    assert (row["year"], row["title"]) == (1900 + row["id"], f"Item {row['id']}")


def test_a_column_that_bears_the_name_of_ours_is_returned_as_that_of_the_source(
    conn: psycopg.Connection,
) -> None:
    conn.execute("select evervec.add_model('toy', 'toy', 4)")
    conn.execute(
        """
        create table item (distance int primary key, similarity text, p_limit int);
        insert into item values (7, 'like', 3);
        select evervec.track('item', '{similarity}', p_model => 'toy',
                             p_return_columns => '{similarity,p_limit}');
        """
    )
    drain(conn)

    (row,) = rows(conn, "select * from evervec.find_similar_item(%s::vector)", QUERY)

    assert list(row) == [
        *["source_distance", "source_similarity", "source_p_limit", "similarity", "distance"]
    ]
    assert (row["source_distance"], row["source_similarity"], row["source_p_limit"]) == (
        *(7, "like", 3),
    )


def test_ties_are_in_the_order_of_their_keys(conn: psycopg.Connection) -> None:
    target = vector_source(conn, 100)
    conn.execute(f"update {target} set embedding = '[1,2,3,4]' where id % 2 = 0")
    conn.execute("select evervec.build_index('item')")

    for function in ("evervec.find_similar_item('[1,2,3,4]', 20)",):
        keys = [row["id"] for row in rows(conn, f"select id from {function}")]
        assert keys == list(range(2, 42, 2))
    general = rows(conn, "select row_key from evervec.find_similar('item', '[1,2,3,4]', 20)")
    assert [row["row_key"]["id"] for row in general] == list(range(2, 42, 2))


def test_vectors_that_are_null_or_zero_are_not_found(conn: psycopg.Connection) -> None:
    vector_source(conn, 20, storage="column")
    conn.execute("set evervec.bypass = on")
    conn.execute("update item set embedding = null where id = 1")
    conn.execute(f"update item set embedding = '{ZERO}' where id = 2")

    assert sorted(int(str(key)) for key, _ in found(conn, 50)) == list(range(3, 21))


@pytest.mark.parametrize("limit", [0, 1, 10, 10_000])
def test_every_limit_is_kept(conn: psycopg.Connection, limit: int) -> None:
    vector_source(conn, 30)
    assert len(found(conn, limit)) == min(limit, 30)


def test_the_largest_limit_returns_all(conn: psycopg.Connection) -> None:
    vector_source(conn, 30)
    assert len(found(conn, 2_147_483_647)) == 30
    assert len(found(conn, 2_147_483_647, ", p_diversity => 0.5")) == 30


def test_an_empty_source_finds_nothing(conn: psycopg.Connection) -> None:
    vector_source(conn, 0)
    conn.execute("select evervec.build_index('item')")
    assert found(conn) == []
    assert found(conn, more=", p_diversity => 0.5") == []


@pytest.mark.parametrize(
    ("arguments", "sqlstate", "message"),
    [
        (f"'{SHORT}'", "VE201", "3 dimensions, not 4"),
        ("null", "VE201", "is NULL"),
        (f"'{ZERO}'", "VE201", "is zero"),
        (f"'{QUERY}', -1", "VE204", "a limit of -1"),
        (f"'{QUERY}', null", "VE204", "a limit of NULL"),
        (f"'{QUERY}', 1, 'NaN'", "VE204", "NaN"),
        (f"'{QUERY}', 1, null, null, 1.5", "VE204", "a diversity of 1.5"),
        (f"'{QUERY}', 1, null, null, -0.1", "VE204", "a diversity of -0.1"),
        (f"'{QUERY}', 1, null, null, 'NaN'", "VE204", "a diversity of NaN"),
    ],
)
@pytest.mark.parametrize("function", ["find_similar_item(", "find_similar('item', "])
def test_bad_arguments_are_refused(
    conn: psycopg.Connection, function: str, arguments: str, sqlstate: str, message: str
) -> None:
    vector_source(conn, 3)
    with raises(conn, sqlstate, message):
        conn.execute(f"select * from evervec.{function}{arguments})".encode())


def test_nearest_refuses_a_zero_vector(conn: psycopg.Connection) -> None:
    vector_source(conn, 3)
    with raises(conn, "VE201", "is zero"):
        conn.execute(f"select * from evervec.nearest_item('{ZERO}')".encode())


@pytest.mark.parametrize(
    ("threshold", "count"), [("-2", 30), ("2", 0), ("infinity", 0), ("-infinity", 30)]
)
def test_a_threshold_that_no_similarity_can_have_is_no_error(
    conn: psycopg.Connection, threshold: str, count: int
) -> None:
    vector_source(conn, 30)
    assert len(found(conn, 100, f", p_min_similarity => '{threshold}'")) == count


def test_the_threshold_is_kept_to_the_digit_that_is_returned(conn: psycopg.Connection) -> None:
    vector_source(conn, 30)
    every = rows(conn, "select * from evervec.find_similar_item(%s::vector, 30)", QUERY)
    for n, row in enumerate(every, start=1):
        assert len(found(conn, 30, f", p_min_similarity => '{row['similarity']!r}'")) == n


@pytest.mark.parametrize("excluded", ["null", "'{}'", "array[null]::int[]"])
def test_excluding_nothing_excludes_nothing(conn: psycopg.Connection, excluded: str) -> None:
    vector_source(conn, 30)
    assert len(found(conn, 30, f", p_exclude => {excluded}")) == 30


def test_what_is_excluded_is_made_up_for(conn: psycopg.Connection) -> None:
    target = vector_source(conn, 2500, sparse=True)
    conn.execute("select evervec.build_index('item')")
    truth = [key for key, _ in exact(conn, target, limit=200)]

    left = [key for key, _ in found(conn, 10, f", p_exclude => '{set(truth[:190])}'")]

    assert len(left) == 10
    assert len(set(left) & set(truth[190:])) >= 9


@pytest.mark.parametrize("limit", [500, 1200, 2400])
def test_a_limit_beyond_ef_search_is_filled(conn: psycopg.Connection, limit: int) -> None:
    vector_source(conn, 2500, sparse=True)
    conn.execute("select evervec.build_index('item'); set evervec.search_effort = 1")

    assert len(found(conn, limit)) == limit
    assert len({key for key, _ in found(conn, limit)}) == limit


def test_dead_rows_in_the_index_do_not_shorten_the_answer(conn: psycopg.Connection) -> None:
    target = vector_source(conn, 2500, sparse=True)
    conn.execute(f"alter table {target} set (autovacuum_enabled = off)")
    conn.execute("select evervec.build_index('item')")
    truth = exact(conn, target, limit=310)
    conn.execute("delete from item where id = any(%s)", [[int(str(key)) for key, _ in truth[:300]]])

    assert found(conn, 10) == truth[300:]


def test_settings_are_put_back_after_a_search_and_after_an_error(conn: psycopg.Connection) -> None:
    vector_source(conn, 2500, sparse=True)
    conn.execute("select evervec.build_index('item')")
    settings = (
        "select current_setting('hnsw.ef_search'), current_setting('hnsw.iterative_scan'),"
        " current_setting('enable_sort'), current_setting('plan_cache_mode')"
    )
    conn.execute("set hnsw.ef_search = 41; set hnsw.iterative_scan = strict_order")
    with conn.transaction():
        conn.execute(f"select * from evervec.find_similar_item('{QUERY}', 100)".encode())
        assert conn.execute(settings).fetchone() == ("41", "strict_order", "on", "auto")

    conn.execute(
        """
        create function broken(integer) returns boolean language plpgsql as
            $$ begin raise exception '%', current_setting('hnsw.ef_search'); end $$;
        alter table item_embedding enable row level security, force row level security;
        create policy broken on item_embedding using (public.broken(id));
        """
    )
    with conn.transaction():
        with raises(conn, "P0001", "100", ours=False):
            conn.execute(f"select * from evervec.find_similar_item('{QUERY}', 100)".encode())
        assert conn.execute(settings).fetchone() == ("41", "strict_order", "on", "auto")


def test_diversity_chooses_what_is_unlike_what_was_chosen(conn: psycopg.Connection) -> None:
    target = vector_source(conn, 6)
    # Three near copies, one a little farther off, and two on other sides.
    for key, vector in {
        1: "[1,0,0,0]",
        2: "[1,0.01,0,0]",
        3: "[1,0.02,0,0]",
        4: "[1,0.5,0,0]",
        5: "[1,0,1,0]",
        6: "[0,0,0,1]",
    }.items():
        conn.execute(f"update {target} set embedding = '{vector}' where id = {key}")

    def chosen(diversity: str) -> list[int]:
        call = f"evervec.find_similar_item('[1,0,0,0]', 3, p_diversity => {diversity})"
        return [row["id"] for row in rows(conn, f"select id from {call}")]

    assert chosen("null") == chosen("0") == [1, 2, 3]
    assert chosen("0.7") == [1, 6, 5]
    general = rows(
        conn,
        "select row_key from evervec.find_similar('item', '[1,0,0,0]', 3, p_diversity => 0.7)",
    )
    assert [row["row_key"]["id"] for row in general] == chosen("0.7")


@pytest.mark.parametrize("distance", list(OPERATORS))
def test_diversity_is_maximal_marginal_relevance(conn: psycopg.Connection, distance: str) -> None:
    """Compared with the textbook, computed from all pairs."""
    target = vector_source(conn, 24, distance=distance)
    pool = rows(
        conn,
        f"select id, embedding {OPERATORS[distance]} %s::vector as d from {target} order by d, id",
        QUERY,
    )
    pairs = {
        (row["a"], row["b"]): SIMILARITY[distance](row["d"])
        for row in rows(
            conn,
            f"select a.id as a, b.id as b, a.embedding {OPERATORS[distance]} b.embedding as d"
            f" from {target} a, {target} b",
        )
    }
    relevance = {row["id"]: SIMILARITY[distance](row["d"]) for row in pool}
    chosen = [pool[0]["id"]]
    while len(chosen) < 6:
        chosen.append(
            max(
                (key for key in relevance if key not in chosen),
                key=lambda k: 0.6 * relevance[k] - 0.4 * max(pairs[k, c] for c in chosen),
            )
        )

    assert [key for key, _ in found(conn, 6, ", p_diversity => 0.4")] == chosen


def test_a_renamed_table_and_renamed_columns_are_followed(conn: psycopg.Connection) -> None:
    target = vector_source(conn, 20)
    truth = exact(conn, target)
    conn.execute("alter table item rename to thing")
    conn.execute("alter table thing rename title to name")
    conn.execute("alter table thing rename id to number")
    conn.execute("alter table item_embedding rename to thing_embedding")

    conn.execute("select evervec.tick()")

    (row, *_) = rows(conn, "select * from evervec.find_similar_item(%s::vector)", QUERY)
    assert list(row) == ["number", "name", "year", "similarity", "distance"]
    assert (row["number"], row["name"]) == (truth[0][0], f"Item {truth[0][0]}")
    found_keys = rows(conn, "select * from evervec.find_similar('item', %s::vector)", QUERY)
    assert [row["row_key"]["number"] for row in found_keys] == [key for key, _ in truth]
    assert rows(conn, "select * from evervec.doctor('item') where finding <> 'missing index'") == []


def test_a_rename_keeps_who_may_search(
    conn: psycopg.Connection, superuser_conn: psycopg.Connection
) -> None:
    vector_source(conn, 3)
    with role(superuser_conn) as reader:
        conn.execute(f"grant execute on function evervec.find_similar_item to {reader}".encode())
        conn.execute("alter table item rename title to name")
        conn.execute("select evervec.tick()")

        assert value(
            conn,
            "select has_function_privilege(%s, 'evervec.find_similar_item'::regproc, 'execute')",
            reader,
        )


def test_a_dropped_returned_column_is_left_out(conn: psycopg.Connection) -> None:
    vector_source(conn, 3)
    conn.execute("alter table item drop column year")
    conn.execute("select evervec.tick()")

    (row, *_) = rows(conn, "select * from evervec.find_similar_item(%s::vector)", QUERY)
    assert list(row) == ["id", "title", "similarity", "distance"]


def test_retrack_chooses_other_columns(conn: psycopg.Connection) -> None:
    vector_source(conn, 3)
    conn.execute("select evervec.retrack('item', p_return_columns => '{year}')")
    conn.execute("select evervec.retrack('item')")
    (row, *_) = rows(conn, "select * from evervec.find_similar_item(%s::vector)", QUERY)
    assert list(row) == ["id", "year", "similarity", "distance"]

    conn.execute("select evervec.retrack('item', p_return_columns => '{}')")
    (row, *_) = rows(conn, "select * from evervec.find_similar_item(%s::vector)", QUERY)
    assert list(row) == ["id", "similarity", "distance"]


def test_a_column_that_is_not_there_cannot_be_returned(conn: psycopg.Connection) -> None:
    with raises(conn, "VE103", 'no column "nope"'):
        vector_source(conn, 3, options="p_return_columns => '{nope}'")
