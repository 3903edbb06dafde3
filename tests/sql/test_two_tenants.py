"""Two tenants of one table, through everything that either may call or read: nothing crosses."""

from __future__ import annotations

import re
from collections.abc import Iterator

import psycopg
import pytest

from tests.support.cluster import Database
from tests.support.roles import role, session_of
from tests.support.sql_worker import add_toy_model, drain, rows, toy_vector, value

# Rows 1 to 5 are ours, 1001 to 1005 theirs. A query that is exactly what row 1003 says.
VECTOR = toy_vector("theirs 1003")
THEIRS = re.compile(r"\b100[1-5]\b|theirs")
KEYS = "array['{\"id\": 1003}', '{\"id\": 3}']::jsonb[]"

OF_USERS = {
    "interaction",
    "row_mark",
    "user_preference",
    "recommendation_cache",
    "analysis_cache",
    "trend",
}

PLAN = (
    "('{}', 'doc', 10, 'personalized', 'default', null, '{{}}', null, null,"
    " '@other@'::regrole, true)"
)

# Every function that a tenant who is reader and writer may execute → calls that try to get at the
# other one's rows, and how many rows each gives (an SQLSTATE: it is refused).
CASES: dict[str, list[tuple[str, int | str]]] = {
    "find_similar": [
        (f"('doc', '{VECTOR}', 100)", 5),
        (f"('doc', '{VECTOR}', 100, p_diversity => 0.5)", 5),
        (f"('poster', '{VECTOR}', 100)", 5),
    ],
    "find_similar_to": [
        ("('doc', '{\"id\": 1}', 100)", 4),
        ("('doc', '{\"id\": 1003}', 100)", "VE203"),
        ("('poster', '{\"id\": 1003}', 100)", "VE203"),
    ],
    "search": [("('doc', 'words of theirs', 100)", 5), ("('poster', 'words of theirs', 100)", 5)],
    "near_duplicates": [("('doc', -1)", 10), ("('poster', -1)", 10)],
    "nearest_doc": [(f"('{VECTOR}', 100)", 5)],
    "nearest_poster": [(f"('{VECTOR}', 100)", 5)],
    "find_similar_doc": [(f"('{VECTOR}', 100)", 5), (f"('{VECTOR}', 100, p_diversity => 0.5)", 5)],
    "find_similar_poster": [(f"('{VECTOR}', 100)", 5)],
    "similar_doc": [(f"('{VECTOR}', 100)", 5)],
    "similar_poster": [(f"('{VECTOR}', 100)", 5)],
    "find_similar_doc_above": [(f"('{VECTOR}', 2, 100)", 3), (f"('{VECTOR}', 1000, 100)", 0)],
    "find_similar_among": [
        (f"('doc', 'above', '{{\"p_id\": 2}}', '{VECTOR}', 100)", 3),
        (f"('doc', 'above', '{{\"p_id\": 1000}}', '{VECTOR}', 100)", 0),
        (f"('doc', 'above', '{{\"p_id\": 2}}', '{VECTOR}', p_exclude => {KEYS})", 2),
    ],
    "row_keys": [
        ("('doc', false)", 5),
        ("('doc')", 0),
        ("('doc', false, p_after => '{\"id\": 1000}')", 0),
        ("('doc', false, 'above', '{\"p_id\": 1000}')", 0),
    ],
    "filter_doc_above": [("(2)", 3), ("(1000)", 0)],
    "hybrid_search": [(f"('doc', 'theirs', '{VECTOR}', 100)", 5)],
    "hybrid_search_doc": [(f"('theirs', '{VECTOR}', 100)", 5)],
    "hybrid_search_doc_above": [
        (f"('theirs', 2, '{VECTOR}', 100)", 3),
        ("('theirs', 1000, p_vector_weight => 0)", 0),
    ],
    "get_embedding": [("('doc', '{\"id\": 1003}')", 0), ("('poster', '{\"id\": 1003}')", 0)],
    "get_embeddings": [(f"('doc', {KEYS})", 1), (f"('poster', {KEYS})", 1)],
    # What a writer names, it must be allowed to see; and nobody is told of another one's job.
    "put_embedding": [(f"('poster', '{{\"id\": 1003}}', '{VECTOR}')", "VE213")],
    "put_embeddings": [(f"('poster', {KEYS}, array['{VECTOR}', '{VECTOR}']::vector[])", "VE213")],
    "delete_embedding": [("('poster', '{\"id\": 1003}')", "VE213")],
    "delete_embeddings": [(f"('poster', {KEYS})", "VE213")],
    "enqueue": [(f"('doc', {KEYS})", "VE213"), ("('doc', 'all')", "VE213")],
    "job_status": [("(@job@)", 1)],
    # Results are not kept where rows are hidden, whoever says that he is somebody else.
    "known_result": [(f"('doc', '{VECTOR}', 10, null, '{{}}', '@other@')", 1)],
    "keep_result": [
        (f"('doc', '{VECTOR}', 9, null, null, '@other@', pg_current_snapshot(), {KEYS}, @kept@)", 1)
    ],
    # About words and models, which are nobody's.
    "cached_query": [("('toy', 'words of nobody')", 1)],
    "cache_query": [("('toy', 'words of theirs', '[4,3,2,1]')", 1)],
    "check_words": [("('words')", 1)],
    "query_of": [("('doc', 'words of nobody')", "VE207")],
    "get_source": [("('doc')", 1)],
    "get_model": [("('toy')", 1)],
    # About a key that the caller brings himself.
    "parse_key": [("('doc', '3')", 1)],
    "key_doc": [("(3)", 1)],
    "key_poster": [("(3)", 1)],
    # Texts of queries, run by nobody but the caller; and arithmetic.
    "among_query": [("('doc', 'above', '{\"p_id\": 2}')", 1)],
    "keys_query": [("('doc', false, null, '{}', null)", 1)],
    "vector_lookup": [("('doc', '{\"id\": 3}')", 1)],
    "vectors_lookup": [("('doc', array['{\"id\": 3}']::jsonb[])", 1)],
    "duplicates_of": [("('doc', '{\"id\": 3}')", 1)],
    "index_visits": [("('select from doc', 'doc_embedding'::regclass, 10)", 1)],
    "estimated_rows": [("('doc'::regclass)", 1)],
    "list_probes": [("('doc_embedding'::regclass)", 1)],
    # Measured on rows of the caller's alone: see below.
    "recall_check": [("('doc', 1000)", 1)],
    "measure_recall": [("('doc', 1000, 10, 2, array[null]::integer[])", 1)],
    "recall_queries": [("('doc', 10)", 1)],
    "check_option": [("('p_option', 'a', array['a'])", 1)],
    "partitions_of": [("('doc'::regclass)", 1)],
    "query_limit": [(f"('{VECTOR}', 4, 10)", 1)],
    "search_size": [(f"('{VECTOR}', 4, 'cosine', 10, null, null)", 1)],
    "words_of": [("('simple', 'ours')", 1)],
    "bm25_ranking": [("('doc_embedding', 'public', 'ours')", 1)],
    "bm25_schema": [("()", 1)],
    "hybrid_pool": [("('ours', 10, 1, 1, 60, '{}')", 1)],
    "may_search_exactly": [("(1, 10)", 1)],
    "diversify": [(f"(array['{VECTOR}']::vector[], '{{1}}', 'cosine', 1, 0.5)", 1)],
    # Of a user of ours, and of one of theirs, who like rows 1 and 1003.
    "recommend": [
        ("('u-ours', 'doc', 100)", 4),
        ("('u-ours', 'doc', 100, 'adventurous')", 4),
        ("('u-ours', 'doc', 100, 'trending')", 0),
        ("('u-ours', 'doc', 100, 'similar_users')", 0),
        ("('u-theirs', 'doc', 100)", "VE501"),
    ],
    "recommendation_plan": [
        (PLAN.format("u-ours"), 1),
        (PLAN.format("u-theirs"), "VE501"),
    ],
    "keep_recommendation": [
        ("('u-theirs', 1, '', null, '{}', '{}', '{}', '{}')", "VE501"),
    ],
    "liked_nearby": [
        ("('u-ours', 'doc', 'default', '{}', 100)", 0),
        ("('u-theirs', 'doc', 'default', '{}', 100)", "VE501"),
    ],
    "record_interaction": [("('u-theirs', 'doc', '{\"id\": 3}', 'view')", "VE501")],
    "record_interactions": [
        ('(\'[{"user": "u-theirs", "source": "doc", "type": "search"}]\')', "VE501"),
    ],
    "clear_mark": [("('u-theirs', 'doc', '{\"id\": 1003}')", "VE501")],
    "check_user": [("('u-theirs')", "VE501"), ("('u-ours')", 1)],
    "current_user_id": [("()", 1)],
    "acts_for_all": [("()", 1)],
    "cache_put": [("('u-theirs', 'taste', '1')", "VE501")],
    "update_user_embedding": [("('u-theirs', 'doc')", "VE501")],
    "cache_get": [("('u-theirs', 'taste')", "VE501")],
    "cache_forget": [("('u-theirs')", "VE501")],
    "open_sources": [("()", 1)],
    "presence_query": [("(1)", 1)],
    "sees_row": [("(1, '{\"id\": 1003}')", 1)],
}


@pytest.fixture
def tenants(superuser_conn: psycopg.Connection) -> Iterator[tuple[str, str]]:
    with role(superuser_conn) as ours, role(superuser_conn) as theirs:
        yield ours, theirs


@pytest.fixture
def doc(conn: psycopg.Connection, tenants: tuple[str, str]) -> psycopg.Connection:
    """doc(id, tenant, body), embedded twice: by evervec, and (poster) with vectors brought."""
    ours, theirs = tenants
    add_toy_model(conn)
    conn.execute(
        f"""
        create table doc (id integer primary key, tenant name, body text);
        insert into doc select g, '{ours}', 'ours ' || g from generate_series(1, 5) g;
        insert into doc select g, '{theirs}', 'theirs ' || g from generate_series(1001, 1005) g;
        alter table doc enable row level security;
        create policy own on doc using (tenant = current_user);
        grant select, insert, update, delete on doc to {ours}, {theirs};
        select evervec.track('doc', p_template => '{{body}}', p_model => 'toy',
                             p_return_columns => '{{body}}', p_text_search => 'simple');
        select evervec.add_filter('doc', 'above', 'doc.id > p_id', '{{p_id integer}}');
        select evervec.track('doc', p_name => 'poster', p_storage => 'manual', p_model => 'toy');
        """
    )
    drain(conn)
    conn.execute(
        "select evervec.put_embeddings('poster', array_agg(jsonb_build_object('id', d.id)),"
        " array_agg(e.embedding)) from doc d join doc_embedding e using (id)"
    )
    for user, row in (("u-ours", 1), ("u-theirs", 1003)):
        conn.execute(
            "select evervec.record_interaction(%s, 'doc', jsonb_build_object('id', %s::integer),"
            " 'favorite'), evervec.update_user_embedding(%s, 'doc')",
            [user, row, user],
        )
    conn.execute("select evervec.update_trends()")
    for name in tenants:
        for kind in ("reader", "writer"):
            conn.execute("select evervec.grant_access(%s, %s)", [name, kind])
    # What the other one leaves behind: a job, a search, a query vector, a text that gave up.
    conn.execute("update doc set body = 'theirs 1001, changed' where id = 1001")
    conn.execute("select evervec.tick()")
    with psycopg.connect(conn.info.dsn, autocommit=True) as other:
        other.execute("select evervec.cache_query('toy', 'words of theirs', %s::vector)", [VECTOR])
    return conn


def all_of_theirs(conn: psycopg.Connection) -> list[object]:
    return [
        rows(conn, f"select * from {table} where {condition}")
        for table, condition in (
            ("doc_embedding", "id > 1000"),
            ("poster_embedding", "id > 1000"),
            ("evervec.processing_queue", "true"),
            ("evervec.query_cache", "true"),
            ("evervec.search_cache", "true"),
        )
    ]


@pytest.mark.parametrize("function", CASES)
def test_two_tenants_nothing_crosses(
    doc: psycopg.Connection, database: Database, tenants: tuple[str, str], function: str
) -> None:
    ours, theirs = tenants
    job = value(doc, "select job_id from evervec.processing_queue where row_key = '{\"id\": 1001}'")
    with session_of(database, theirs) as session:
        session.execute("select * from evervec.search('doc', 'words of theirs')")
    before = all_of_theirs(doc)
    with session_of(database, ours) as session:
        session.execute("set hnsw.iterative_scan = strict_order; set evervec.user_id = 'u-ours'")
        for arguments, expected in CASES[function]:
            call = arguments.replace("@job@", str(job)).replace("@other@", theirs)
            call = call.replace("@kept@", "'{1,1}', '{0,0}'")
            state, found = None, []
            try:
                found = rows(session, f"select * from evervec.{function}{call}")
            except psycopg.Error as error:
                state = error.sqlstate
            assert (state or len(found)) == expected, f"{call}: {found}"
            assert not THEIRS.search(str(found)), f"{call}: {found}"
    assert all_of_theirs(doc) == before


def test_two_tenants_every_function_that_they_may_execute_has_a_case(
    doc: psycopg.Connection, tenants: tuple[str, str]
) -> None:
    open_to_them = rows(
        doc,
        "select distinct p.proname from pg_proc p"
        " where p.pronamespace = 'evervec'::regnamespace"
        " and has_function_privilege(%s, p.oid, 'execute')",
        tenants[0],
    )
    assert {row["proname"] for row in open_to_them} == set(CASES)


def test_two_tenants_no_view_and_no_table_is_open_to_them(
    doc: psycopg.Connection, database: Database, tenants: tuple[str, str]
) -> None:
    """Caches among them; of the embedding tables each sees its own half, and writes none."""
    relations = rows(
        doc,
        "select c.oid::regclass::text as name from pg_class c"
        " where c.relnamespace = 'evervec'::regnamespace"
        " and c.relkind in ('r', 'p', 'v', 'm', 'S')",
    )
    assert len(relations) > 25
    with session_of(database, tenants[0]) as session:
        session.execute("set evervec.user_id = 'u-ours'")
        for relation in relations:
            # Each user sees what is kept of him, and the trends of rows that he sees.
            if relation["name"].removeprefix("evervec.") in OF_USERS:
                assert not THEIRS.search(str(rows(session, f"select * from {relation['name']}")))
                continue
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                session.execute(f"select * from {relation['name']}".encode())
        for table in ("doc_embedding", "poster_embedding"):
            found = rows(session, f"select id from {table}")
            assert sorted(row["id"] for row in found) == [1, 2, 3, 4, 5]
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                session.execute(f"delete from {table}".encode())


def test_two_tenants_a_write_of_one_leaves_the_other_s_vectors(
    doc: psycopg.Connection, database: Database, tenants: tuple[str, str]
) -> None:
    with session_of(database, tenants[0]) as session:
        session.execute("update doc set body = body || '!'; delete from doc where id = 2")
        session.execute("insert into doc values (6, current_user, 'ours 6')")
    drain(doc)

    for name, ids in ((tenants[0], [1, 3, 4, 5, 6]), (tenants[1], list(range(1001, 1006)))):
        with session_of(database, name) as session:
            found = rows(session, "select id from doc_embedding")
            assert sorted(row["id"] for row in found) == ids
