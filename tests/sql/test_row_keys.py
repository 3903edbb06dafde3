"""row_keys finds rows to queue, find_similar_among searches behind a filter; both by names."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest
from psycopg.types.json import Jsonb

from tests.support.sql_worker import claim, drain, raises, value


@pytest.fixture
def owned(film: psycopg.Connection) -> psycopg.Connection:
    """Ten films, embedded; ann has 2, 3 and 4; a filter by owner, and one without parameters."""
    drain(film)
    film.execute("create table owned (user_name text, film_id int)")
    film.execute("insert into owned values ('ann', 2), ('ann', 3), ('ann', 4), ('bob', 9)")
    condition = "exists (select from public.owned o where o.film_id = film.id and user_name = $1)"
    film.execute("select evervec.add_filter('film', 'owned', %s, '{p_user text}')", [condition])
    film.execute("select evervec.add_filter('film', 'odd', 'id %% 2 = 1')", [])
    return film


def keys(conn: psycopg.Connection, **parameters: Any) -> list[int]:
    """The ids that row_keys answers for the films."""
    names = ", ".join(f"{name} => %s" for name in parameters)
    sql = f"select evervec.row_keys('film'{', ' * bool(names)}{names})"
    return [row[0]["id"] for row in conn.execute(sql.encode(), list(parameters.values()))]


def test_keys_of_rows_without_a_vector_are_found(owned: psycopg.Connection) -> None:
    assert keys(owned) == []
    owned.execute("delete from film_embedding where id in (3, 8, 9)")

    assert keys(owned) == [3, 8, 9]
    assert keys(owned, p_limit=2) == [3, 8]
    assert keys(owned, p_after=Jsonb({"id": 8}), p_limit=2) == [9]


def test_a_vector_of_another_model_does_not_count(owned: psycopg.Connection) -> None:
    owned.execute("update film_embedding set model_id = model_id + 1000 where id = 5")

    assert keys(owned) == [5]


def test_all_keys_are_found_in_their_order(owned: psycopg.Connection) -> None:
    assert keys(owned, p_missing=False) == list(range(1, 11))
    assert keys(owned, p_missing=False, p_after=Jsonb({"id": 7})) == [8, 9, 10]


def test_a_filter_leaves_one_users_rows(owned: psycopg.Connection) -> None:
    owned.execute("delete from film_embedding where id in (3, 8)")
    ann = {"p_filter": "owned", "p_arguments": Jsonb({"p_user": "ann"})}

    assert keys(owned, **ann, p_missing=False) == [2, 3, 4]
    assert keys(owned, **ann) == [3]
    assert keys(owned, p_filter="odd", p_missing=False) == [1, 3, 5, 7, 9]


def test_search_by_names_is_the_generated_search(owned: psycopg.Connection) -> None:
    query = value(owned, "select embedding::text from film_embedding where id = 3")

    among = owned.execute(
        "select (row_key->>'id')::int, similarity, distance from"
        " evervec.find_similar_among('film', 'owned', '{\"p_user\": \"ann\"}', %s, 2)",
        [query],
    ).fetchall()

    typed = owned.execute(
        "select id, similarity, distance from evervec.find_similar_film_owned(%s, 'ann', 2)",
        [query],
    ).fetchall()
    assert among == typed
    assert len(among) == 2


@pytest.mark.parametrize(
    ("state", "arguments"),
    [
        ("VE101", "'nowhere'"),
        ("VE208", "'film', p_filter => 'mine'"),
        ("VE111", "'film', p_filter => 'owned'"),
        ("VE111", "'film', p_filter => 'owned', p_arguments => '[]'"),
        ("VE111", "'film', p_filter => 'odd', p_arguments => '{\"p_user\": \"ann\"}'"),
        ("VE202", "'film', p_after => '{\"title\": 1}'"),
        ("VE204", "'film', p_limit => 0"),
    ],
)
def test_bad_requests_for_keys_are_told(
    owned: psycopg.Connection, state: str, arguments: str
) -> None:
    with raises(owned, state, ""):
        owned.execute(f"select evervec.row_keys({arguments})".encode())


def test_a_claim_of_named_jobs_takes_no_others(owned: psycopg.Connection) -> None:
    owned.execute("update film set title = title || '!' where id <= 4")
    wanted = [
        row[0]
        for row in owned.execute(
            "select evervec.enqueue('film', array['{\"id\": 2}', '{\"id\": 4}']::jsonb[])"
        )
    ]

    named = owned.execute(
        "select (row_key->>'id')::int from evervec.claim_jobs(p_job_ids => %s)", [wanted]
    ).fetchall()

    assert [row[0] for row in named] == [2, 4]
    assert {job["row_key"]["id"] for job in claim(owned)} == {1, 3}
