"""What was recommended is used again by the same user, until something that decides it changes."""

from __future__ import annotations

import psycopg
import pytest

from tests.support.cluster import Database
from tests.support.directions import at, does, ids, key, learn, recommend, track_items
from tests.support.roles import role, session_of
from tests.support.sql_worker import raises, rows, value


@pytest.fixture
def item(conn: psycopg.Connection) -> psycopg.Connection:
    track_items(conn)
    does(conn, "ann", "favorite", 10)
    learn(conn, "ann")
    return conn


def mark(conn: psycopg.Connection) -> None:
    """Make what is kept tell that it is: all scores are 9."""
    conn.execute(
        "update evervec.recommendation_cache"
        " set scores = array_fill(9::real, array[cardinality(scores)])"
    )


def kept(conn: psycopg.Connection, user: str = "ann") -> bool:
    return {row["score"] for row in recommend(conn, user)} == {9}


def test_what_was_recommended_is_used_again(item: psycopg.Connection) -> None:
    first = recommend(item)
    assert recommend(item) == first
    mark(item)
    assert kept(item)
    assert value(item, "select count(*) from evervec.recommendation_cache") == 1


def test_nothing_to_recommend_is_kept_too(item: psycopg.Connection) -> None:
    assert recommend(item, "new") == []
    assert recommend(item, "new") == []
    assert value(item, "select count(*) from evervec.recommendation_cache") == 1


CHANGES = {
    "a like": "select evervec.record_interaction('ann', 'item', '{\"id\": 5}', 'favorite')",
    "a view": "select evervec.record_interaction('ann', 'item', '{\"id\": 90}', 'view')",
    "a mark": "select evervec.clear_mark('ann', 'item', '{\"id\": 10}')",
    "a preference": "select evervec.update_user_embedding('ann', 'item')",
    "a weight": "update evervec.interaction_type set weight = 3 where name = 'favorite'",
    "a row with another vector": (
        f"select evervec.put_embedding('item', '{{\"id\": 180}}', {at(11)})"
    ),
    "a row less": "delete from item where id = 5",
    "its time": "update evervec.recommendation_cache set expires_at = now()",
    "a setting": "set hnsw.ef_search = 41",
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_it_is_not_used_after(item: psycopg.Connection, change: str) -> None:
    recommend(item)
    mark(item)
    assert kept(item)
    item.execute(change)
    assert not kept(item)


def test_a_row_with_another_vector_is_recommended_by_that(item: psycopg.Connection) -> None:
    assert ids(recommend(item)) == [5, 15, 0]
    item.execute(f"select evervec.put_embedding('item', %s, {at(11)})", [key(180)])
    assert ids(recommend(item)) == [180, 5, 15]


def test_a_change_that_was_not_committed_yet_counts(
    item: psycopg.Connection, database: Database
) -> None:
    with psycopg.connect(database.url) as other:
        other.execute(f"select evervec.put_embedding('item', %s, {at(11)})", [key(180)])
        assert ids(recommend(item)) == [5, 15, 0]
        other.commit()
    assert ids(recommend(item)) == [180, 5, 15]


def test_trends_count_where_they_are_what_is_asked_for(item: psycopg.Connection) -> None:
    recommend(item)
    recommend(item, type="trending")
    does(item, "bob", "view", 90)
    item.execute("select evervec.update_trends()")
    mark(item)
    assert kept(item)
    assert ids(recommend(item, type="trending")) == [90]
    # So they do for whom nothing is known of.
    assert ids(recommend(item, "new")) == [10, 90]


@pytest.mark.parametrize(
    "more", [{"limit": 4}, {"type": "trending"}, {"type": "adventurous"}, {"diversity": 0}]
)
def test_other_questions_are_others(item: psycopg.Connection, more: dict[str, object]) -> None:
    recommend(item)
    mark(item)
    assert {row["score"] for row in recommend(item, "ann", **{"limit": 3, **more})} != {9}  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "begin", ["read only", "isolation level repeatable read", "isolation level serializable"]
)
def test_where_nothing_can_be_written_it_answers_and_keeps_nothing(
    item: psycopg.Connection, begin: str
) -> None:
    does(item, "ann", "favorite", 5)
    with item.transaction():
        item.execute(f"set transaction {begin}")
        assert ids(recommend(item)) == [15, 0, 20]
    assert value(item, "select count(*) from evervec.recommendation_cache") == 0


def test_the_setting_decides_how_long_and_whether(item: psycopg.Connection) -> None:
    item.execute("update evervec.setting set value = '\"0\"' where name = 'recommendation_keep'")
    recommend(item)
    assert value(item, "select count(*) from evervec.recommendation_cache") == 0
    item.execute(
        "update evervec.setting set value = '\"5 min\"' where name = 'recommendation_keep'"
    )
    recommend(item)
    query = "select expires_at - created_at from evervec.recommendation_cache"
    assert value(item, query).total_seconds() == 300


def test_what_others_like_is_asked_anew(item: psycopg.Connection) -> None:
    does(item, "bob", "favorite", 20)
    learn(item, "bob")
    assert ids(recommend(item, type="similar_users")) == [20]
    does(item, "bob", "favorite", 30)
    learn(item, "bob")
    assert ids(recommend(item, type="similar_users")) == [20, 30]


def test_a_user_of_another_collation_is_found_by_an_index(item: psycopg.Connection) -> None:
    item.execute(
        "insert into evervec.row_mark select g, 1, '{\"id\": 0}', 'has', now()"
        " from generate_series(1, 50000) g; analyze evervec.row_mark"
    )
    before = "select pg_stat_get_xact_tuples_returned('evervec.row_mark'::regclass)"
    with item.transaction():
        item.execute("select * from evervec.recommend('ann'::name, 'item')")
        assert value(item, before) < 1000


def test_nobody_is_recommended_for_another(
    item: psycopg.Connection, superuser_conn: psycopg.Connection, database: Database
) -> None:
    with role(superuser_conn) as name:
        item.execute(f"select evervec.grant_access('{name}', 'reader')")
        item.execute(f"select evervec.grant_access('{name}', 'writer')")
        with session_of(database, name) as reader:
            reader.execute("set evervec.user_id = 'ann'")
            assert ids(recommend(reader)) == [5, 15, 0]
            for call in (
                "select * from evervec.recommend('bob', 'item')",
                "select * from evervec.liked_nearby('bob', 'item', 'default', '{}', 9)",
                "select evervec.cache_put('bob', 'taste', '1')",
                "select evervec.cache_get('bob', 'taste')",
                "select evervec.cache_forget('bob')",
                "select evervec.keep_recommendation('bob', 1, '', null, '{}', '{}', '{}', '{}')",
            ):
                with raises(reader, "VE501", "another user"):
                    reader.execute(call)
            mark(item)
            assert kept(reader)
            reader.execute("set evervec.user_id = 'new'")
            assert rows(reader, "select * from evervec.recommendation_cache") == []
            assert ids(recommend(reader, "new", type="trending")) == []


def test_rows_that_the_caller_does_not_see_are_recommended_in_no_way(
    item: psycopg.Connection, superuser_conn: psycopg.Connection, database: Database
) -> None:
    with role(superuser_conn) as name:
        item.execute(
            f"""
            alter table item enable row level security;
            create policy few on item to {name} using (id < 100);
            grant select on item to {name};
            select evervec.protect('item');
            select evervec.grant_access('{name}', 'reader');
            select evervec.add_filter('item', 'odd', 'item.kind = ''odd''');
            """
        )
        does(item, "bob", "favorite", 5, 10, 20, 185)
        does(item, "cat", "view", 90, 180, 270)
        learn(item, "bob", "cat")
        item.execute("select evervec.update_trends()")
        with session_of(database, name) as reader:
            reader.execute("set evervec.user_id = 'ann'")
            for way, least in {
                "personalized": 8,
                "trending": 2,
                "similar_users": 1,
                "adventurous": 4,
                "odd": 2,
            }.items():
                found = ids(recommend(reader, limit=50, type=way))
                assert len(found) >= least, way
                assert max(found) < 100, way
            reader.execute("set evervec.user_id = 'new'")
            assert ids(recommend(reader, "new", limit=50)) == [10, 5, 20, 90]
            trend = rows(reader, "select row_key from evervec.trend")
            assert max(ids(trend)) < 100
            query = "select * from evervec.liked_nearby('new', 'item', 'default', '{}', 9)"
            assert rows(reader, query) == []
    assert value(item, "select count(*) from evervec.recommendation_cache") == 0


def test_an_analysis_is_kept_for_its_time(item: psycopg.Connection) -> None:
    get = "select evervec.cache_get('ann', 'taste')"
    assert value(item, get) is None
    item.execute("select evervec.cache_put('ann', 'taste', '{\"likes\": \"blue\"}', 0.8)")
    assert value(item, get) == {"likes": "blue"}
    assert value(item, "select evervec.cache_get('bob', 'taste')") is None
    query = "select expires_at - created_at from evervec.analysis_cache"
    assert value(item, query).total_seconds() == 86400
    item.execute("select evervec.cache_put('ann', 'taste', 'null', p_keep => '1 hour')")
    assert value(item, get) is None
    assert value(item, query).total_seconds() == 3600
    item.execute("select evervec.cache_put('ann', 'taste', '[1]')")
    item.execute("update evervec.analysis_cache set expires_at = now()")
    assert value(item, get) is None


def test_an_analysis_of_a_source_ends_with_what_the_user_does_there(
    item: psycopg.Connection,
) -> None:
    put = "select evervec.cache_put('ann', 'taste', '[1]', p_source => 'item')"
    get = "select evervec.cache_get('ann', 'taste')"
    item.execute(put)
    assert value(item, get) == [1]
    does(item, "bob", "view", 20)
    assert value(item, get) == [1]
    does(item, "ann", "view", 20)
    assert value(item, get) is None
    item.execute(put)
    item.execute("select evervec.clear_mark('ann', 'item', '{\"id\": 10}')")
    assert value(item, get) is None


def test_analyses_can_be_forgotten(item: psycopg.Connection) -> None:
    for name in ("a", "b", "c"):
        item.execute("select evervec.cache_put('ann', %s, '1')", [name])
    assert value(item, "select evervec.cache_forget('ann', 'a')") == 1
    assert value(item, "select evervec.cache_get('ann', 'b')") == 1
    assert value(item, "select evervec.cache_forget('ann')") == 2
    assert value(item, "select evervec.cache_forget('ann')") == 0


@pytest.mark.parametrize(
    ("arguments", "sqlstate"),
    [
        ("null, 'a', '1'", "VE502"),
        ("'ann', ' ', '1'", "VE515"),
        ("'ann', null, '1'", "VE515"),
        ("'ann', 'a', null", "VE515"),
        ("'ann', 'a', '1', 1.1", "VE515"),
        ("'ann', 'a', '1', 'NaN'", "VE515"),
        ("'ann', 'a', '1', p_keep => '0'", "VE515"),
        ("'ann', 'a', '1', p_source => 'books'", "VE101"),
    ],
)
def test_what_cannot_be_kept_is_told(
    item: psycopg.Connection, arguments: str, sqlstate: str
) -> None:
    with raises(item, sqlstate, ""):
        item.execute(f"select evervec.cache_put({arguments})")
