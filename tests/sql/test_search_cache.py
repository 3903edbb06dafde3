"""Results of searches: used again by their caller while nothing has changed, and no longer."""

from __future__ import annotations

import psycopg
import pytest

from tests.support.cluster import OWNER
from tests.support.roles import role
from tests.support.sql_worker import Row, drain, rows, toy_vector, value

WORDS = "space opera"
NEAREST = toy_vector(f"Title: {WORDS}")
SEARCH = "select * from evervec.search('film', %s, %s)"


@pytest.fixture
def filled(film: psycopg.Connection) -> psycopg.Connection:
    """Ten films with vectors, and the vector of WORDS."""
    drain(film)
    film.execute("select evervec.cache_query('toy', %s, %s::vector)", [WORDS, NEAREST])
    return film


def search(conn: psycopg.Connection, limit: int = 3) -> list[Row]:
    return rows(conn, SEARCH, WORDS, limit)


def found(conn: psycopg.Connection, limit: int = 3) -> list[int]:
    return [row["row_key"]["id"] for row in search(conn, limit)]


def exact(conn: psycopg.Connection, limit: int = 3) -> list[int]:
    query = "select id from film_embedding order by embedding <=> %s::vector, id limit %s"
    return [row["id"] for row in rows(conn, query, NEAREST, limit)]


def results(conn: psycopg.Connection) -> int:
    return int(value(conn, "select count(*) from evervec.search_cache"))


def mark(conn: psycopg.Connection) -> None:
    """Make kept results tell that they are: their similarities are all 2."""
    conn.execute(
        "update evervec.search_cache set similarities = array_fill(2::real, "
        "array[cardinality(similarities)])"
    )


def from_cache(conn: psycopg.Connection, limit: int = 3) -> bool:
    return {row["similarity"] for row in search(conn, limit)} == {2}


def kept(conn: psycopg.Connection) -> bool:
    """Search, and again: whether the second search used the result of the first."""
    search(conn)
    mark(conn)
    return from_cache(conn)


def test_a_result_is_used_again_with_its_similarities(filled: psycopg.Connection) -> None:
    first = search(filled)
    assert [set(row) for row in first] == [{"row_key", "similarity", "distance"}] * 3
    assert search(filled) == first
    assert (results(filled), kept(filled)) == (1, True)


def test_a_result_of_no_rows_is_one(film: psycopg.Connection) -> None:
    film.execute("select evervec.cache_query('toy', %s, %s::vector)", [WORDS, NEAREST])
    assert (found(film), found(film), results(film)) == ([], [], 1)
    drain(film)
    assert found(film) == exact(film)


@pytest.mark.parametrize(
    "other",
    [
        "'film', 'space opera', 4",
        "'film', 'space opera', 3, 0.1",
        "'film', 'space opera', 3, null, array['{\"id\": 1}']::jsonb[]",
        "'film', 'another', 3",
        "'copy', 'space opera', 3",
    ],
)
def test_another_search_has_another_result(filled: psycopg.Connection, other: str) -> None:
    filled.execute(
        "select evervec.track('film', p_columns => '{title}', p_model => 'toy', p_name => 'copy')"
    )
    drain(filled)
    filled.execute("select evervec.cache_query('toy', 'another', %s::vector)", [toy_vector("n")])
    search(filled)
    mark(filled)

    others = rows(filled, f"select * from evervec.search({other})")

    assert 2 not in {row["similarity"] for row in others}
    assert from_cache(filled)


def test_a_search_that_looks_further_has_a_result_of_its_own(filled: psycopg.Connection) -> None:
    assert kept(filled)
    filled.execute("set hnsw.ef_search = 400")
    assert not from_cache(filled)


NEWER = [
    "update film set title = 'Newer' where id = 5",
    "insert into film values (11, 'Newer', 2001)",
    "update film set id = 50 where id = 5",
    "update film set title = null where id = 5",
    "delete from film where id = 5; insert into film values (5, 'Newer', 2001)",
]


@pytest.mark.parametrize("change", NEWER)
def test_a_change_of_the_source_is_seen_by_the_next_search(
    filled: psycopg.Connection, change: str
) -> None:
    assert found(filled, 20) == exact(filled, 20)
    filled.execute(change.encode())
    assert found(filled, 20) == exact(filled, 20)

    drain(filled)

    assert found(filled, 20) == exact(filled, 20)
    assert found(filled) == exact(filled)


@pytest.mark.parametrize(
    "change",
    [
        "delete from film where id = {nearest}",
        "truncate film",
        "update film set id = 50 where id = {nearest}",
        "select evervec.reset('film')",
        "delete from film_embedding where id = {nearest}",
    ],
)
def test_a_vector_that_went_is_found_by_no_search_and_the_answer_is_full(
    filled: psycopg.Connection, change: str
) -> None:
    (nearest, *_) = found(filled)
    filled.execute(change.format(nearest=nearest).encode())

    assert found(filled) == exact(filled)
    assert nearest not in found(filled)


def test_a_writer_adds_nothing_to_what_changed(filled: psycopg.Connection) -> None:
    filled.execute("delete from evervec.source_change")
    for change in NEWER:
        filled.execute(change.encode())
    assert value(filled, "select count(*) from evervec.source_change") == 0


def test_a_complete_adds_one_row_a_call_and_source(filled: psycopg.Connection) -> None:
    filled.execute("delete from evervec.source_change")
    filled.execute("update film set title = title || '!'")
    drain(filled)
    assert value(filled, "select count(*) from evervec.source_change") == 1


def test_another_source_keeps_its_results(filled: psycopg.Connection) -> None:
    filled.execute(
        """
        create table note (id integer primary key, body text);
        select evervec.track('note', p_columns => '{body}', p_model => 'toy');
        """
    )
    assert kept(filled)
    filled.execute("insert into note values (1, 'a note')")
    drain(filled)
    assert from_cache(filled)


def test_vectors_of_your_own_are_seen_by_the_next_search(filled: psycopg.Connection) -> None:
    filled.execute(
        """
        create table own (id integer primary key);
        insert into own select generate_series(1, 3);
        select evervec.track('own', p_model => 'toy', p_storage => 'manual');
        """
    )
    own = "select row_key ->> 'id' as id from evervec.search('own', %s)"
    put = "select evervec.put_embedding('own', %s::text::jsonb, %s::vector)"
    for n in (1, 2):
        filled.execute(put, [f'{{"id": {n}}}', toy_vector(f"{n}")])
        assert len(rows(filled, own, WORDS)) == n
    filled.execute(put, ['{"id": 2}', NEAREST])
    assert rows(filled, own, WORDS)[0] == {"id": "2"}
    filled.execute("select evervec.delete_embedding('own', '{\"id\": 2}')")
    assert rows(filled, own, WORDS) == [{"id": "1"}]


def test_column_storage_is_followed(filled: psycopg.Connection) -> None:
    filled.execute(
        """
        create table shelf (id integer primary key, title text);
        insert into shelf values (1, 'one'), (2, 'two');
        select evervec.track('shelf', p_columns => '{title}', p_model => 'toy', p_storage => 'column');
        """  # noqa: E501
    )
    drain(filled)
    shelf = "select row_key ->> 'id' as id from evervec.search('shelf', %s) order by 1"
    assert rows(filled, shelf, WORDS) == [{"id": "1"}, {"id": "2"}]
    filled.execute("update shelf set title = null where id = 1")
    drain(filled)
    assert rows(filled, shelf, WORDS) == [{"id": "2"}]


def test_keys_have_the_names_and_types_of_now(filled: psycopg.Connection) -> None:
    search(filled)
    filled.execute("alter table film rename id to number")
    drain(filled)
    assert [set(row["row_key"]) for row in search(filled)] == [{"number"}] * 3

    filled.execute("select evervec.suspend('film')")
    filled.execute("alter table film alter number type text")
    filled.execute("select evervec.retrack('film')")
    assert {type(row["row_key"]["number"]) for row in search(filled)} == {str}


@pytest.mark.parametrize("table", ["film", "film_embedding"])
def test_under_row_level_security_nothing_is_kept_and_nothing_kept_is_used(
    filled: psycopg.Connection, table: str
) -> None:
    assert kept(filled)
    filled.execute(f"alter table {table} enable row level security".encode())
    assert not from_cache(filled)
    filled.execute("delete from evervec.search_cache")
    search(filled)
    assert results(filled) == 0


@pytest.mark.parametrize(
    "setting",
    [
        "default_transaction_read_only = on",
        "default_transaction_isolation = 'repeatable read'",
        "default_transaction_isolation = 'serializable'",
    ],
)
def test_where_a_write_could_fail_the_cache_is_off(
    filled: psycopg.Connection, setting: str
) -> None:
    assert kept(filled)
    filled.execute(f"set {setting}".encode())
    assert not from_cache(filled)
    assert results(filled) == 1


def test_each_caller_has_results_of_his_own(
    filled: psycopg.Connection, superuser_conn: psycopg.Connection
) -> None:
    with role(superuser_conn) as one, role(superuser_conn) as two:
        for name in (one, two):
            superuser_conn.execute(
                f"""
                grant usage on schema evervec to {name};
                grant select on film_embedding to {name};
                grant execute on all functions in schema evervec to {name};
                """
            )
        superuser_conn.execute(f"set role {one}")
        search(superuser_conn)
        superuser_conn.execute("reset role")
        mark(superuser_conn)

        for name, expected in ((one, True), (two, False), (OWNER, False)):
            superuser_conn.execute(f"set role {name}")
            assert from_cache(superuser_conn) is expected
        superuser_conn.execute("reset role")
        assert not from_cache(superuser_conn)


def test_a_function_of_somebody_elses_rights_shares_no_result_with_its_caller(
    filled: psycopg.Connection, superuser_conn: psycopg.Connection
) -> None:
    filled.execute(
        """
        create function nearest_three(words text) returns table (row_key jsonb, similarity real)
        language sql security definer
        as $$ select row_key, similarity from evervec.search('film', words, 3) $$
        """
    )
    superuser_conn.execute("select * from nearest_three(%s)", [WORDS])
    mark(superuser_conn)
    assert not from_cache(superuser_conn)
    assert len(rows(superuser_conn, "select * from nearest_three(%s)", WORDS)) == 3


def test_nobody_keeps_a_result_for_another_role(filled: psycopg.Connection) -> None:
    """Who lends its rights by a function would find it."""
    kept_for = """
        select evervec.keep_result('film', evervec.cached_query('toy', %s), 1, 0.5, '{}', %s,
                                   pg_current_snapshot(), array['{"id": 1}'::jsonb], '{1}', '{0}')
    """
    assert not value(filled, kept_for, WORDS, "postgres")
    assert value(filled, kept_for, WORDS, value(filled, "select current_user"))


def test_how_long_is_a_setting(filled: psycopg.Connection) -> None:
    assert kept(filled)
    filled.execute("update evervec.search_cache set created_at = now() - interval '2 hours'")
    assert from_cache(filled)
    filled.execute(
        "update evervec.setting set value = '\"1 hour\"' where name = 'search_cache_keep'"
    )
    assert not from_cache(filled)


def test_zero_turns_it_off(filled: psycopg.Connection) -> None:
    assert kept(filled)
    filled.execute("update evervec.setting set value = '\"0\"' where name = 'search_cache_keep'")
    assert not from_cache(filled)
    assert value(filled, "select sum(removed) from evervec.cleanup_expired()") == 1
    search(filled)
    assert results(filled) == 0


def test_cleanup_forgets_old_results_and_void_ones(filled: psycopg.Connection) -> None:
    filled.execute("select evervec.cleanup_expired()")
    for limit in (1, 2, 3):
        search(filled, limit)
    filled.execute(
        "update evervec.search_cache set created_at = now() - interval '25 hours'"
        " where cardinality(row_keys) = 1"
    )
    assert value(filled, "select sum(removed) from evervec.cleanup_expired()") == 1

    filled.execute("update film set title = 'Newer' where id = 5")
    drain(filled)
    assert value(filled, "select sum(removed) from evervec.cleanup_expired()") == 2
    assert results(filled) == 0


def test_a_thousand_results_stay_bounded(filled: psycopg.Connection) -> None:
    filled.execute("update evervec.setting set value = '100' where name = 'search_cache_most'")
    filled.execute("select evervec.cleanup_expired()")
    filled.execute("select evervec.search('film', %s, g) from generate_series(1, 1000) g", [WORDS])
    filled.execute("select evervec.cleanup_expired()")
    assert results(filled) == 100


def test_cleanup_sums_changes_up_and_no_result_survives_them(filled: psycopg.Connection) -> None:
    search(filled)
    for n in range(150):
        filled.execute("select evervec.note_change(source_id) from evervec.source")
        assert n or not kept(filled) or search(filled)
    filled.execute("select evervec.cleanup_expired()")
    assert value(filled, "select count(*) from evervec.source_change") == 1
    assert kept(filled)
    filled.execute("select evervec.cleanup_expired()")
    assert from_cache(filled)


def test_a_search_before_and_after_a_complete_of_one_transaction(
    filled: psycopg.Connection,
) -> None:
    far = exact(filled, 10)[-1]
    filled.execute("update film set title = %s where id = %s", [WORDS, far])
    with filled.transaction():
        # Others end meanwhile, so that our own transaction is older than the snapshot's end.
        filled.execute("select pg_current_xact_id()")
        with psycopg.connect(filled.info.dsn, autocommit=True) as other:
            other.execute("create table other (id integer)")
        search(filled)
        drain(filled)
        assert found(filled)[0] == far
    assert found(filled)[0] == far


def test_what_was_found_before_a_rollback_is_not_kept(filled: psycopg.Connection) -> None:
    filled.execute("begin")
    filled.execute("savepoint before")
    filled.execute(
        "delete from film where id in"
        " (select (row_key ->> 'id')::int from evervec.search('film', %s, 3))",
        [WORDS],
    )
    assert found(filled) == exact(filled)
    filled.execute("rollback to before")
    assert found(filled) == exact(filled)
    filled.execute("rollback")
    assert found(filled) == exact(filled)


def test_no_word_and_no_vector_is_in_a_result(filled: psycopg.Connection) -> None:
    search(filled)
    (entry,) = rows(filled, "select to_jsonb(c)::text as text from evervec.search_cache c")
    assert not any(word in entry["text"] for word in ("space", "opera", "Film"))


def test_a_great_answer_is_not_kept(filled: psycopg.Connection) -> None:
    filled.execute("insert into film select g, 'Film ' || g from generate_series(11, 1500) g")
    drain(filled, 1000)
    filled.execute("set hnsw.ef_search = 1000")
    assert len(search(filled, 1500)) == 1500
    assert results(filled) == 0
