"""Every search function asks the vector index, whatever the plan is made for; shown by EXPLAIN."""

from __future__ import annotations

import psycopg
import pytest

from tests.sql.test_filters import BY_YEAR, OWNED
from tests.sql.test_typed_search import QUERY, asked_the_index
from tests.support.roles import role
from tests.support.vectors import vector_source

ONE = "(select embedding from public.item_embedding where id = 7)"
VECTOR = f"'{QUERY}'::public.vector"
CALLS = {
    "nearest": "evervec.nearest_item({}, 5)",
    "find_similar_<source>": "evervec.find_similar_item({}, 5)",
    "find_similar_<source>, all arguments": (
        "evervec.find_similar_item({}, 5, 0.1, '{{1,2}}', 0.5)"
    ),
    "find_similar": "evervec.find_similar('item', {}, 5)",
    "find_similar, all arguments": (
        "evervec.find_similar('item', {}, 5, 0.1, array['{{\"id\": 1}}']::jsonb[], 0.5)"
    ),
    "find_similar_<source>_<filter>": "evervec.find_similar_item_by_year({}, 1900, 1960, 5)",
    "a filter over another table": "evervec.find_similar_item_owned({}, 'half', 5)",
    "find_similar_to": "evervec.find_similar_to('item', '{{\"id\": 7}}', 5)",
    "search": "evervec.search('item', 'words', 5)",
    "hybrid_search": "evervec.hybrid_search('item', 'words', {}, 5)",
    "hybrid_search_<source>": "evervec.hybrid_search_item('words', {}, 5)",
    "hybrid_search_<source>_<filter>": (
        "evervec.hybrid_search_item_by_year('words', 1900, 1960, {}, 5)"
    ),
}


@pytest.fixture
def planner(conn: psycopg.Connection, superuser_conn: psycopg.Connection) -> psycopg.Connection:
    """A superuser's session that hears the plan of every statement; 2,500 items, indexed."""
    vector_source(conn, 2500, sparse=True, options="p_text_search => 'simple'")
    conn.execute("select evervec.build_index('item'); analyze item")
    conn.execute(BY_YEAR)
    conn.execute(OWNED)
    conn.execute("select evervec.cache_query('toy', 'words', %s::vector)", [QUERY])
    # Or the second of two searches would ask nothing.
    conn.execute("update evervec.setting set value = '\"0\"' where name = 'search_cache_keep'")
    superuser_conn.execute(
        """
        load 'auto_explain';
        set auto_explain.log_level = notice;
        set auto_explain.log_min_duration = 0;
        set auto_explain.log_nested_statements = on;
        set auto_explain.log_analyze = on;
        """
    )
    return superuser_conn


def index_scans(conn: psycopg.Connection, statement: str) -> list[str]:
    """The lines of all plans of a statement that say that the vector index was executed."""
    heard: list[str] = []

    def hear(diagnostic: psycopg.errors.Diagnostic) -> None:
        heard.extend((diagnostic.message_primary or "").splitlines())

    conn.add_notice_handler(hear)
    try:
        conn.execute(statement.encode())
    finally:
        conn.remove_notice_handler(hear)
    return [
        line
        for line in heard
        if "Index Scan using item_embedding_embedding_idx" in line and "never executed" not in line
    ]


@pytest.mark.parametrize("mode", ["auto", "force_generic_plan", "force_custom_plan"])
@pytest.mark.parametrize("argument", [VECTOR, ONE], ids=["value", "subquery"])
@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_the_index_is_asked(
    planner: psycopg.Connection, call: str, argument: str, mode: str
) -> None:
    planner.execute(f"set plan_cache_mode = {mode}".encode())
    statement = f"select * from {call.format(argument)}"
    for _ in range(2):
        assert index_scans(planner, statement), "not by the first call, or not by a later one"


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_the_index_is_asked_by_a_prepared_statement_with_one_plan_for_all_vectors(
    planner: psycopg.Connection, call: str
) -> None:
    planner.execute("set plan_cache_mode = force_generic_plan")
    planner.execute(f"prepare search (public.vector) as select * from {call.format('$1')}".encode())
    for _ in range(2):
        assert index_scans(planner, f"execute search ('{QUERY}')")


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_the_index_is_asked_under_no_search_path_for_a_reader_with_row_level_security(
    planner: psycopg.Connection, call: str
) -> None:
    with role(planner) as reader:
        planner.execute(
            f"""
            grant usage on schema evervec to {reader};
            grant execute on all functions in schema evervec to {reader};
            grant select on item, item_embedding, owned to {reader};
            alter table item_embedding enable row level security;
            create policy most on item_embedding to {reader} using (mod(id, 3) > 0);
            set role {reader};
            set search_path = '';
            """
        )
        assert index_scans(planner, f"select * from {call.format(VECTOR)}")
        planner.execute("reset role; reset search_path")


def test_the_index_is_asked_for_any_limit_once_the_plan_is_made(
    planner: psycopg.Connection,
) -> None:
    planner.execute("set evervec.search_effort = 1")
    for limit in (5, 60, 5, 1):
        assert index_scans(planner, f"select * from evervec.find_similar_item({VECTOR}, {limit})")


def test_nearest_inlines_beside_a_join(planner: psycopg.Connection) -> None:
    plan = "\n".join(
        row[0]
        for row in planner.execute(
            f"explain select * from evervec.nearest_item('{QUERY}', 5) join item using (id)"
        ).fetchall()
    )
    assert "Index Scan using item_embedding_embedding_idx" in plan
    assert "Function Scan" not in plan


def test_the_indexes_of_all_partitions_are_asked(conn: psycopg.Connection) -> None:
    conn.execute("select evervec.add_model('toy', 'toy', 4)")
    conn.execute(
        """
        create table item (id integer primary key, title text, embedding vector(4))
               partition by hash (id);
        create table item_0 partition of item for values with (modulus 2, remainder 0);
        create table item_1 partition of item for values with (modulus 2, remainder 1);
        insert into item
        select g, 'Item ' || g, array[g, 1, 1, 1]::vector from generate_series(1, 200) g;
        select evervec.track('item', '{title}', p_model => 'toy', p_storage => 'column',
                             p_backfill => false);
        create index on item using hnsw (embedding vector_cosine_ops);
        select evervec.add_filter('item', 'even', 'mod(id, 2) = 0');
        analyze item;
        """
    )
    call = "select * from evervec.find_similar_item('[50,1,1,1]', 3)"

    assert asked_the_index(conn, call) == 2
    assert {row[0] for row in conn.execute(call.encode()).fetchall()} == {50, 51, 49}
    even = "select id from evervec.find_similar_item_even('[50,1,1,1]', 3)"
    assert {row[0] for row in conn.execute(even.encode()).fetchall()} == {50, 52, 48}
