"""Texts are the same whatever the collations of the columns they come from."""

from __future__ import annotations

import psycopg
import pytest

from tests.support.sql_worker import add_toy_model, drain, value


@pytest.fixture
def ignoring_case(conn: psycopg.Connection) -> psycopg.Connection:
    """A connection to a database that has a nondeterministic collation of this name."""
    try:
        conn.execute(
            "create collation ignoring_case"
            " (provider = icu, locale = 'und-u-ks-level2', deterministic = false)"
        )
    except psycopg.errors.FeatureNotSupported:
        pytest.skip("this PostgreSQL is built without ICU")
    return conn


@pytest.mark.parametrize(
    "recipe", ["p_columns => '{title,body}'", "p_template => '{title} {body}'"]
)
def test_columns_of_two_collations_make_one_text(conn: psycopg.Connection, recipe: str) -> None:
    add_toy_model(conn)
    conn.execute(
        f"""
        create table note (
            id integer primary key, title text collate "C", body text collate "POSIX");
        insert into note values (1, 'Milk', 'is white');
        select evervec.track('note', {recipe}, p_model => 'toy');
        """.encode()
    )

    assert len(drain(conn).texts) == 1


def test_words_and_keys_may_come_from_a_column_that_ignores_case(
    ignoring_case: psycopg.Connection,
) -> None:
    add_toy_model(ignoring_case)
    ignoring_case.execute(
        """
        create table note (
            id text collate ignoring_case primary key, body text collate ignoring_case);
        insert into note values ('a', 'Milk');
        select evervec.track('note', '{body}', p_model => 'toy', p_text_search => 'simple');
        """
    )
    drain(ignoring_case)
    ignoring_case.execute("select evervec.cache_query('toy', 'Milk', '[1,1,1,1]')")

    for search in ("search", "hybrid_search"):
        found = f"select (s.row_key ->> 'id') from note n, evervec.{search}('note', n.body) s"
        assert value(ignoring_case, found) == "a"
    key = value(ignoring_case, "select evervec.parse_key('note', n.id) from note n")
    assert key == {"id": "a"}
