"""PEERS.md 40: search on a hot standby. Every search function answers; nothing tries to write."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from tests.support import pgsql_http
from tests.support.cluster import OWNER, await_replay, running_own_cluster, running_standby
from tests.support.sql_worker import add_toy_model, drain, rows, toy_vector

READER = "evervec_standby_reader"
VECTOR = toy_vector("Note 7")

# Function (of a source: its prefix) → its arguments. Every function that a reader has is here.
CALLS = {
    "find_similar": f"'note', '{VECTOR}'",
    "find_similar_to": "'note', '{\"id\": 3}'",
    "find_similar_among": f"'note', 'some', '{{\"p_id\": 8}}', '{VECTOR}'",
    "row_keys": "'note', false",
    "search": "'note', 'milk'",
    "hybrid_search": f"'note', 'note', '{VECTOR}'",
    "recall_check": "'note', 5",
    "near_duplicates": "'note', -1, p_neighbours => 10, p_limit => 100",
    "get_embedding": "'note', '{\"id\": 3}'",
    "get_embeddings": "'note', array['{\"id\": 3}']::jsonb[]",
    "get_source": "'note'",
    "get_model": "'toy'",
    "parse_key": "'note', '3'",
    "cached_query": "'toy', 'milk'",
    "nearest_note": f"'{VECTOR}'",
    "find_similar_note": f"'{VECTOR}', p_diversity => 0.3",
    "similar_note": f"'{VECTOR}'",
    "filter_note_some": "8",
    "hybrid_search_note": f"'milk or 7', '{VECTOR}'",
    "hybrid_search_note_some": f"'note', 8, '{VECTOR}'",
    "find_similar_note_some": f"'{VECTOR}', 8",
    "recommend": "'ann', 'note'",
    "cache_get": "'ann', 'taste'",
    "current_user_id": "",
}


@pytest.fixture(scope="module")
def standby() -> Iterator[dict[str, psycopg.Connection]]:
    """Sessions on the standby: of the owner, and of a reader, who sees rows 1 to 9 of 3,000."""
    with running_own_cluster() as own:
        primary = own.cluster
        with primary.connect() as superuser:
            superuser.execute(f"create role {READER}")
        with (
            primary.database(primary.template()) as database,
            psycopg.connect(database.url, autocommit=True) as conn,
        ):
            add_toy_model(conn)
            conn.execute(
                f"""
                create table note (id integer primary key, body text);
                insert into note select g, 'Note ' || g from generate_series(1, 3000) g;
                alter table note enable row level security;
                create policy few on note to {READER} using (id < 10);
                grant select on note to {READER};
                select evervec.track('note', '{{body}}', p_model => 'toy',
                                     p_text_search => 'simple');
                select evervec.add_filter('note', 'some', 'note.id < p_id', '{{p_id integer}}');
                select evervec.grant_access('{READER}', 'reader');
                select evervec.cache_query('toy', 'milk', '[1,2,3,4]');
                """
            )
            with primary.connect(database.name) as superuser:
                pgsql_http.install(superuser)
                seventh = toy_vector("Body: Note 7")
                pgsql_http.answer(superuser, 200, f'{{"vectors": [{seventh}]}}')
            conn.execute("select evervec.configure_push('http://webhook', p_search => true)")
            drain(conn, 1000)
            conn.execute("select evervec.build_index('note'); analyze note_embedding")
            # Learned, and done since: on the standby the former counts.
            conn.execute(
                "select evervec.record_interaction('ann', 'note', '{\"id\": 3}', 'favorite')"
            )
            conn.execute("select evervec.update_user_embedding('ann', 'note')")
            conn.execute(
                "select evervec.record_interaction('ann', 'note', '{\"id\": 4}', 'favorite')"
            )
            with running_standby(own) as copy:
                url = copy.url(database.name)
                with (
                    psycopg.connect(copy.url(database.name, OWNER), autocommit=True) as owner,
                    psycopg.connect(url, autocommit=True) as reader,
                ):
                    await_replay(conn, owner)
                    reader.execute(f"set session authorization {READER}")
                    # nearest_note inlines, and so sets nothing itself.
                    reader.execute("set hnsw.iterative_scan = strict_order")
                    reader.execute("set evervec.user_id = 'ann'")
                    yield {"owner": owner, "reader": reader}


@pytest.mark.parametrize("who", ["owner", "reader"])
@pytest.mark.parametrize("function", CALLS)
def test_peer_40_search_on_a_hot_standby(
    standby: dict[str, psycopg.Connection], function: str, who: str
) -> None:
    conn = standby[who]
    found = rows(conn, f"select * from evervec.{function}({CALLS[function]})")

    assert found
    few = {"find_similar_note_some": 7, "hybrid_search_note_some": 7, "find_similar_among": 7}
    wanted = few | {"find_similar_to": 8 if who == "reader" else 10}
    if function.startswith(("find_similar", "similar", "hybrid", "search", "nearest")):
        assert len(found) == wanted.get(function, 9 if who == "reader" else 10)
    if function == "recommend":
        assert {row["type"] for row in found} == {"personalized"}
        assert not {3, 4} & {row["row_key"]["id"] for row in found}
    if who == "reader" and function == "near_duplicates":
        assert len(found) == 36


def test_peer_40_every_function_of_a_reader_is_tried(
    standby: dict[str, psycopg.Connection],
) -> None:
    public = rows(
        standby["owner"],
        """
        select distinct p.proname as name
          from pg_proc p
          left join pg_description d on d.objoid = p.oid and d.classoid = 'pg_proc'::regclass
         where p.pronamespace = 'evervec'::regnamespace
           and has_function_privilege(%s, p.oid, 'execute')
           and d.description not like 'Internal.%%'
        """,
        READER,
    )
    generated = {"nearest_note", "find_similar_note", "find_similar_note_some"}
    generated |= {"similar_note", "filter_note_some"}
    generated |= {"hybrid_search_note", "hybrid_search_note_some"}
    assert {row["name"] for row in public} | generated == set(CALLS)


def test_peer_40_what_a_search_would_keep_is_not_kept(
    standby: dict[str, psycopg.Connection],
) -> None:
    conn = standby["owner"]
    assert conn.execute("select pg_is_in_recovery()").fetchone() == (True,)
    kept = "select evervec.cache_query('toy', 'cheese', '[1,2,3,4]')"
    assert conn.execute(kept.encode()).fetchone() == (False,)


@pytest.mark.parametrize("who", ["owner", "reader"])
def test_peer_40_the_webhook_is_asked_for_words_that_are_not_known(
    standby: dict[str, psycopg.Connection], who: str
) -> None:
    found = rows(standby[who], "select * from evervec.search('note', 'never searched for', 1)")
    assert found[0]["row_key"] == {"id": 7}
