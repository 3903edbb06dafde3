"""PEERS.md 29: pgvector in another schema, no superuser, a search_path without anything."""

from __future__ import annotations

import psycopg
import pytest

from evervec import migrate
from tests.support.cluster import OWNER, Cluster
from tests.support.roles import role, session_of
from tests.support.sql_worker import add_toy_model, drain, rows, toy_vector, value

SEARCHES = {
    "nearest_note": "{query}, 10",
    "find_similar_note": "{query}, 10",
    "find_similar_note_above": "{query}, 0, 10",
    "find_similar": "'note', {query}, 10",
    "find_similar_to": "'note', '{{\"id\": 1}}', 10",
    "search": "'note', 'milk'",
    "hybrid_search": "'note', 'note', {query}",
    "hybrid_search_note": "'note', {query}",
    "hybrid_search_note_above": "'note', 0, {query}",
    "near_duplicates": "'note', -1",
    "get_embedding": "'note', '{{\"id\": 1}}'",
}


@pytest.mark.parametrize("storage", ["table", "column"])
def test_peer_29_pgvector_elsewhere_no_superuser_no_search_path(
    cluster: Cluster, superuser_conn: psycopg.Connection, storage: str
) -> None:
    """From migrations to a reader under row-level security: as roles that are no superusers."""
    # Words are kept beside vectors in a table of evervec's own only.
    more = ", p_text_search => 'simple'" if storage == "table" else ""
    query = f"'{toy_vector('Note 2')}'::extensions.vector"
    with (
        role(superuser_conn) as reader,
        cluster.bare_database("extensions") as database,
        psycopg.connect(database.url, autocommit=True) as conn,
    ):
        migrate.apply(database.url)
        assert value(conn, "select rolsuper from pg_roles where rolname = current_user") is False
        assert value(conn, "select current_user") == OWNER
        add_toy_model(conn)
        conn.execute("set search_path = ''")
        conn.execute(
            f"""
            create schema shop;
            grant usage on schema shop to {reader};
            create table shop.note (id integer primary key, body text);
            insert into shop.note select g, 'Note ' || g from generate_series(1, 20) g;
            alter table shop.note enable row level security;
            create policy own on shop.note using (id <= 4);
            grant select on shop.note to {reader};
            select evervec.track('shop.note', p_template => '{{body}}', p_model => 'toy',
                                 p_storage => '{storage}', p_return_columns => '{{body}}' {more});
            select evervec.add_filter('note', 'above', 'note.id > p_id', '{{p_id integer}}');
            select evervec.cache_query('toy', 'milk', {query});
            """
        )
        conn.execute("set search_path = extensions")  # the toy worker's, for its casts
        drain(conn)
        conn.execute("set search_path = ''")
        assert value(conn, "select evervec.build_index('note')") is True
        assert value(conn, "select evervec.grant_access(%s, 'reader')", reader) is True
        assert value(conn, "select evervec.protect('note')") is (storage == "table")

        with session_of(database, reader) as session:
            session.execute("set search_path = ''")
            session.execute("set hnsw.iterative_scan = strict_order")
            for function, arguments in SEARCHES.items():
                if storage == "column" and function.startswith("hybrid"):
                    continue
                call = f"evervec.{function}({arguments.format(query=query)})"
                found = rows(session, f"select * from {call}")
                wanted = {"find_similar_to": 3, "near_duplicates": 6, "get_embedding": 1}
                assert len(found) == wanted.get(function, 4), function
        assert value(conn, "select evervec.revoke_access(%s, 'reader')", reader) is True
        assert rows(conn, "select * from evervec.doctor() where severity = 'error'") == []
        conn.execute("select evervec.untrack('note', p_drop_vectors => true)")
        migrate.rollback(database.url, everything=True)
