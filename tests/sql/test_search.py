"""find_similar, find_similar_to, nearest_<source>."""

from __future__ import annotations

from collections.abc import Callable

import psycopg
import pytest

from tests.support.sql_worker import TOY_DIMENSIONS, drain, raises, rows, toy_vector, value


@pytest.fixture
def filled(film: psycopg.Connection) -> psycopg.Connection:
    drain(film)
    return film


def exact(conn: psycopg.Connection, query: str) -> list[int]:
    return [
        row["id"]
        for row in rows(
            conn,
            "select id from film_embedding order by embedding <=> %s::vector, id",
            query,
        )
    ]


def test_find_similar_gives_the_nearest_rows_in_order(filled: psycopg.Connection) -> None:
    query = toy_vector("Title: Film 3")

    found = rows(filled, "select * from evervec.find_similar('film', %s::vector, 4)", query)

    assert [row["row_key"]["id"] for row in found] == exact(filled, query)[:4]
    assert found[0]["row_key"] == {"id": 3}
    assert found[0]["similarity"] == pytest.approx(1)
    assert all(row["similarity"] == pytest.approx(1 - row["distance"], abs=1e-6) for row in found)


def test_excluded_rows_do_not_shorten_the_answer(filled: psycopg.Connection) -> None:
    query = toy_vector("Title: Film 3")
    nearest = exact(filled, query)

    found = rows(
        filled,
        "select * from evervec.find_similar('film', %s::vector, 3, p_exclude => %s::jsonb[])",
        query,
        [f'{{"id": {nearest[0]}}}', f'{{"id": {nearest[2]}}}'],
    )

    assert [row["row_key"]["id"] for row in found] == [nearest[1], nearest[3], nearest[4]]


def test_the_threshold_leaves_out_what_is_less_similar(filled: psycopg.Connection) -> None:
    query = toy_vector("Title: Film 3")
    everything = rows(filled, "select * from evervec.find_similar('film', %s::vector, 10)", query)
    threshold = everything[4]["similarity"]

    found = rows(
        filled,
        "select * from evervec.find_similar('film', %s::vector, 10, %s::real)",
        query,
        threshold,
    )

    assert [row["row_key"] for row in found] == [row["row_key"] for row in everything[:5]]


def test_find_similar_to_never_returns_the_row_itself(filled: psycopg.Connection) -> None:
    found = rows(filled, """select * from evervec.find_similar_to('film', '{"id": 3}', 10)""")

    assert len(found) == 9
    assert {"id": 3} not in [row["row_key"] for row in found]


def test_nearest_returns_the_key_columns_and_the_distance(filled: psycopg.Connection) -> None:
    query = toy_vector("Title: Film 3")

    found = rows(filled, "select * from evervec.nearest_film(%s::vector, 2)", query)

    assert list(found[0]) == ["id", "distance"]
    assert [row["id"] for row in found] == exact(filled, query)[:2]


def test_nearest_inlines_and_uses_the_index(filled: psycopg.Connection) -> None:
    filled.execute("select evervec.build_index('film')")
    filled.execute("set enable_seqscan = off")
    query = f"explain select * from evervec.nearest_film('{toy_vector('x')}', 5)"

    plan = "\n".join(row[0] for row in filled.execute(query).fetchall())

    assert "Index Scan using film_embedding_embedding_idx" in plan
    assert "Function Scan" not in plan


def test_ef_search_is_lifted_and_put_back(filled: psycopg.Connection) -> None:
    filled.execute("set hnsw.ef_search = 40")

    found = rows(
        filled, "select * from evervec.find_similar('film', %s::vector, 500)", toy_vector("x")
    )

    assert len(found) == 10
    assert value(filled, "show hnsw.ef_search") == "40"


def test_a_deleted_row_is_not_found_any_more(filled: psycopg.Connection) -> None:
    filled.execute("delete from film where id = 3")

    found = rows(filled, "select * from evervec.find_similar('film', %s::vector)", toy_vector("x"))

    assert {"id": 3} not in [row["row_key"] for row in found]


def test_an_empty_source_finds_nothing(film: psycopg.Connection) -> None:
    assert (
        rows(film, "select * from evervec.find_similar('film', %s::vector)", toy_vector("x")) == []
    )


GOOD = toy_vector("x")
SHORT = toy_vector("x", TOY_DIMENSIONS - 1)


@pytest.mark.parametrize(
    ("query", "sqlstate", "message"),
    [
        (f"evervec.find_similar('film', '{SHORT}')", "VE201", "3 dimensions, not 4"),
        ("evervec.find_similar('film', null)", "VE201", "is NULL"),
        (f"evervec.find_similar('film', '{GOOD}', -1)", "VE204", "a limit of -1"),
        (f"evervec.find_similar('film', '{GOOD}', null)", "VE204", "a limit of NULL"),
        (f"evervec.find_similar('film', '{GOOD}', 1, 'NaN')", "VE204", "NaN"),
        (f"evervec.find_similar('movie', '{GOOD}')", "VE101", 'source "movie" does not exist'),
        (f"evervec.nearest_film('{SHORT}', 1)", "VE201", "3 dimensions, not 4"),
        ("evervec.nearest_film(null, 1)", "VE201", "is NULL"),
        (f"evervec.nearest_film('{GOOD}', -1)", "VE204", "a limit of -1"),
        ("""evervec.find_similar_to('movie', '{"id": 1}')""", "VE101", "does not exist"),
        ("""evervec.find_similar_to('film', '{"id": 99}')""", "VE203", "has no vector"),
        ("""evervec.find_similar_to('film', '{}')""", "VE202", "is not a key"),
        ("""evervec.find_similar_to('film', null)""", "VE202", "NULL is not a key"),
        ("""evervec.find_similar_to('film', '[1]')""", "VE202", "is not a key"),
        ("""evervec.find_similar_to('film', '{"ID": 1}')""", "VE202", "is not a key"),
        ("""evervec.find_similar_to('film', '{"id": 1, "b": 2}')""", "VE202", "is not a key"),
        ("""evervec.find_similar_to('film', '{"id": "one"}')""", "VE202", "is not a key"),
        ("""evervec.find_similar_to('film', '{"id": 99999999999}')""", "VE202", "is not a key"),
    ],
)
def test_bad_searches_are_refused(
    filled: psycopg.Connection, query: str, sqlstate: str, message: str
) -> None:
    with raises(filled, sqlstate, message):
        filled.execute(f"select * from {query}")


def test_a_nan_in_a_query_is_refused_by_pgvector(filled: psycopg.Connection) -> None:
    with raises(filled, "22000", "NaN not allowed", ours=False):
        filled.execute("select * from evervec.find_similar('film', '[1,NaN,1,1]')")


@pytest.mark.parametrize("limit", [0, 1, 10_000])
def test_every_limit_is_kept(filled: psycopg.Connection, limit: int) -> None:
    for function in ("find_similar('film', ", "nearest_film("):
        found = rows(filled, f"select * from evervec.{function}%s::vector, %s)", GOOD, limit)
        assert len(found) == min(limit, 10)


@pytest.mark.parametrize(
    ("distance", "operator", "similarity"),
    [
        ("cosine", "<=>", lambda d: 1 - d),
        ("l2", "<->", lambda d: 1 / (1 + d)),
        ("inner_product", "<#>", lambda d: -d),
        ("l1", "<+>", lambda d: 1 / (1 + d)),
    ],
)
def test_every_distance(
    film: psycopg.Connection,
    distance: str,
    operator: str,
    similarity: Callable[[float], float],
) -> None:
    film.execute(
        "select evervec.track('film', '{title}', p_model => 'toy', p_name => 'd',"
        f" p_distance => '{distance}')"
    )
    drain(film)
    film.execute("select evervec.build_index('d')")

    found = rows(film, "select * from evervec.find_similar('d', %s::vector, 5)", GOOD)
    truth = rows(
        film,
        f"select id, embedding {operator} %s::vector as distance"
        " from d_embedding order by 2, 1 limit 5",
        GOOD,
    )

    assert [row["row_key"]["id"] for row in found] == [row["id"] for row in truth]
    for row, true in zip(found, truth, strict=True):
        assert row["distance"] == pytest.approx(true["distance"], abs=1e-6)
        assert row["similarity"] == pytest.approx(similarity(true["distance"]), abs=1e-5)


@pytest.mark.parametrize(
    ("key", "expected"), [("3", {"id": 3}), (" 3", {"id": 3}), ('{"id": 3}', {"id": 3})]
)
def test_parse_key(film: psycopg.Connection, key: str, expected: object) -> None:
    assert value(film, "select evervec.parse_key('film', %s)", key) == expected


@pytest.mark.parametrize("key", ["three", "{", '{"id": null}', ""])
def test_parse_key_refuses(film: psycopg.Connection, key: str) -> None:
    with raises(film, "VE202", "is not a key"):
        film.execute("select evervec.parse_key('film', %s)", [key])
