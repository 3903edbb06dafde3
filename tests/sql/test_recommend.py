"""Recommendations: of whom nothing is known, what is popular; else what is near, in many ways."""

from __future__ import annotations

from decimal import Decimal
from math import log
from typing import Any

import psycopg
import pytest

from tests.support.directions import ANGLES, at, does, ids, key, learn, recommend, track_items
from tests.support.sql_worker import raises, rows, value


@pytest.fixture
def item(conn: psycopg.Connection) -> psycopg.Connection:
    return track_items(conn)


def test_rows_nearest_to_what_the_user_likes_come_first_and_say_why(
    item: psycopg.Connection,
) -> None:
    does(item, "ann", "favorite", 10)
    found = recommend(item)
    assert ids(found) == [5, 15, 0]
    assert {row["type"] for row in found} == {"personalized"}
    assert [row["because"] for row in found] == [{"id": 10}] * 3
    assert all(row["score"] == row["similarity"] for row in found)
    assert found[0]["similarity"] == pytest.approx(0.9962, abs=1e-4)
    assert found[0]["confidence"] == pytest.approx(6 / 11)


def test_of_whom_nothing_is_known_gets_what_is_trending_and_is_told_so(
    item: psycopg.Connection,
) -> None:
    assert recommend(item) == []
    does(item, "bob", "view", 90)
    does(item, "eve", "view", 90, 270)
    item.execute("select evervec.update_trends()")
    found = recommend(item)
    assert ids(found) == [90, 270]
    assert {(row["type"], row["because"], row["similarity"]) for row in found} == {
        ("trending", None, None)
    }
    assert found[0]["score"] == 1


def test_a_like_changes_the_next_recommendation(item: psycopg.Connection) -> None:
    does(item, "ann", "favorite", 10)
    assert ids(recommend(item)) == [5, 15, 0]
    does(item, "ann", "favorite", 90, 100, 110, 120)
    assert ids(recommend(item))[0] == 60


def test_what_the_user_has_or_dismissed_never_comes_back(item: psycopg.Connection) -> None:
    does(item, "ann", "favorite", 10)
    does(item, "ann", "dismiss", 270)
    does(item, "ann", "purchase", 5)
    item.execute("select evervec.update_trends()")
    does(item, "bob", "view", *ANGLES)
    item.execute("select evervec.update_trends()")
    for way in ("personalized", "trending", "similar_users", "adventurous"):
        assert not {10, 270, 5} & set(ids(recommend(item, limit=100, type=way))), way
    # Longer than what was done is known.
    item.execute("delete from evervec.interaction")
    assert not {10, 270, 5} & set(ids(recommend(item, limit=100)))


def test_what_a_signal_says_that_the_user_has_is_not_recommended(item: psycopg.Connection) -> None:
    item.execute(
        """
        create table owned (user_id text, id integer, primary key (user_id, id));
        insert into owned values ('ann', 10), ('bob', 5);
        select evervec.add_signal('item', 'owned', 'select user_id, id from owned');
        """
    )
    assert ids(recommend(item)) == [5, 15, 0]
    item.execute("insert into owned values ('ann', 5)")
    assert ids(recommend(item)) == [0, 15, 20]
    item.execute("delete from owned where user_id = 'ann' and id = 10")
    assert ids(recommend(item))[0] in (0, 10)
    # Without its table the signal says nothing, and recommendations go on.
    item.execute("drop table owned")
    assert recommend(item) == []


def test_a_filter_is_a_type_and_goes_with_any_other(item: psycopg.Connection) -> None:
    item.execute("select evervec.add_filter('item', 'odd', 'item.kind = ''odd''')")
    item.execute(
        "select evervec.add_filter('item', 'above', 'item.id >= p_least', '{p_least integer}')"
    )
    does(item, "ann", "favorite", 10)
    does(item, "bob", "favorite", 15, 100)
    does(item, "bob", "view", 20, 270)
    learn(item, "bob")
    item.execute("select evervec.update_trends()")
    assert [(row["type"], row["row_key"]["id"]) for row in recommend(item, type="odd")] == [
        ("odd", 5),
        ("odd", 15),
        ("odd", 195),
    ]
    above: dict[str, Any] = {"filter": "above", "arguments": {"p_least": 20}}
    assert ids(recommend(item, **above)) == [20, 30, 350]
    assert ids(recommend(item, type="trending", **above)) == [100, 20, 270]
    assert ids(recommend(item, type="similar_users", **above)) == [20, 100, 270]
    assert ids(recommend(item, type="adventurous", **above)) != [20, 30, 350]
    # Of whom nothing is known gets what is trending among those rows.
    found = recommend(item, "new", type="odd")
    assert [(row["type"], row["row_key"]["id"]) for row in found] == [("trending", 15)]


def test_similar_users_recommend_what_they_like(item: psycopg.Connection) -> None:
    does(item, "ann", "favorite", 10)
    does(item, "bob", "favorite", 5, 15)
    does(item, "cat", "favorite", 5, 20)
    does(item, "eve", "favorite", 190)
    learn(item, "bob", "cat", "eve")
    found = recommend(item, type="similar_users")
    assert (found[0]["row_key"], found[0]["type"]) == ({"id": 5}, "similar_users")
    assert ids(found) == [5, 15, 20]
    assert found[0]["score"] == pytest.approx(1, abs=1e-3)
    assert found[0]["because"] == {"id": 10}


def test_adventure_lies_beyond_what_is_near(item: psycopg.Connection) -> None:
    does(item, "ann", "favorite", 10)
    near, far = ids(recommend(item)), ids(recommend(item, type="adventurous"))
    assert len(far) == 3
    assert not set(near) & set(far)
    assert max(far) - min(far) > max(near) - min(near)


def test_diversity_is_a_matter_of_choice(item: psycopg.Connection) -> None:
    does(item, "ann", "favorite", 10)
    plain, diverse = recommend(item), recommend(item, diversity=Decimal("0.9"))
    assert ids(plain)[0] == ids(diverse)[0]
    assert max(ids(diverse)) > max(ids(plain))


def test_popularity_counts_as_much_as_is_said(item: psycopg.Connection) -> None:
    does(item, "ann", "favorite", 10)
    for user in ("bob", "cat", "eve"):
        does(item, user, "view", 180)
    does(item, "bob", "view", 20)
    item.execute("select evervec.update_trends()")
    assert ids(recommend(item)) == [5, 15, 0]
    assert ids(recommend(item, popularity=Decimal("0.1"))) == [20, 5, 15]
    first = recommend(item, popularity=8)[0]
    assert first["row_key"] == {"id": 180}
    assert first["score"] == pytest.approx(first["similarity"] + 8 * log(1.6, 2))
    item.execute("update evervec.setting set value = '8' where name = 'recommendation_popularity'")
    assert ids(recommend(item))[0] == 180


def test_each_taste_is_covered(item: psycopg.Connection) -> None:
    item.execute("select evervec.add_preference('item', 'two', p_tastes => 2)")
    for taste, (angle, weight) in enumerate([(5, 90), (275, 10)], start=1):
        item.execute(
            f"""
            insert into evervec.user_preference
                   (user_id, source_id, preference_type, taste, embedding, sample_size, liked,
                    model_id, inputs_hash)
            select 'ann', s.source_id, 'two', %s, {at(angle)}, %s, %s, s.model_id,
                   evervec.user_inputs('ann', 'item')
              from evervec.source s
            """,
            [taste, weight, [key(0 if angle < 90 else 290)]],
        )
    found = recommend(item, limit=3, preference="two")
    assert ids(found)[0] == 5
    assert ids(found)[1] in (270, 280)
    assert len([row for row in ids(found) if row > 200]) == 1
    assert [row["because"] for row in found[:2]] == [{"id": 0}, {"id": 290}]


@pytest.mark.parametrize(
    ("arguments", "sqlstate", "message"),
    [
        ("null, 'item'", "VE502", "no user"),
        ("'ann', 'books'", "VE101", "books"),
        ("'ann', 'item', -1", "VE204", "limit"),
        ("'ann', 'item', 1001", "VE204", "limit"),
        ("'ann', 'item', null", "VE204", "limit"),
        ("'ann', 'item', p_type => 'seasonal'", "VE513", "seasonal"),
        ("'ann', 'item', p_type => 'odd', p_filter => 'odd'", "VE513", "odd"),
        ("'ann', 'item', p_preference => 'work'", "VE509", "work"),
        ("'ann', 'item', p_preference => null", "VE509", "NULL"),
        ("'ann', 'item', p_filter => 'even'", "VE208", "even"),
        ("'ann', 'item', p_filter => 'odd', p_arguments => '{\"p\": 1}'", "VE111", "odd"),
        ("'ann', 'item', p_diversity => 1.5", "VE204", "diversity"),
        ("'ann', 'item', p_diversity => 'NaN'", "VE204", "diversity"),
        ("'ann', 'item', p_popularity => -1", "VE514", "popularity"),
        ("'ann', 'item', p_popularity => 'NaN'", "VE514", "popularity"),
    ],
)
def test_bad_arguments_are_told(
    item: psycopg.Connection, arguments: str, sqlstate: str, message: str
) -> None:
    item.execute("select evervec.add_filter('item', 'odd', 'item.kind = ''odd''')")
    with raises(item, sqlstate, message):
        item.execute(f"select * from evervec.recommend({arguments})")


def test_a_limit_of_nothing_gives_nothing(item: psycopg.Connection) -> None:
    does(item, "ann", "favorite", 10)
    for way in ("personalized", "trending", "similar_users", "adventurous"):
        assert recommend(item, limit=0, type=way) == []


def test_a_row_that_is_gone_is_not_recommended(item: psycopg.Connection) -> None:
    does(item, "ann", "favorite", 10)
    does(item, "bob", "favorite", 5, 15)
    learn(item, "bob")
    item.execute("select evervec.update_trends()")
    assert 5 in ids(recommend(item))
    item.execute("delete from item where id = 5")
    for way in ("personalized", "trending", "similar_users", "adventurous"):
        assert 5 not in ids(recommend(item, limit=100, type=way)), way


def test_nobody_makes_a_trend_alone(item: psycopg.Connection) -> None:
    does(item, "bob", "view", *[90] * 20)
    does(item, "bob", "view", 270)
    does(item, "eve", "view", 270)
    does(item, "eve", "dismiss", 0)
    assert value(item, "select evervec.update_trends()") == 2
    scores = rows(item, "select row_key, score from evervec.trend order by score desc")
    assert scores == [
        {"row_key": {"id": 270}, "score": 0.4},
        {"row_key": {"id": 90}, "score": 0.2},
    ]
    assert value(item, "select evervec.update_trends()") == 0


def test_a_trend_decays_and_ends(item: psycopg.Connection) -> None:
    does(item, "bob", "view", 90, 270)
    item.execute(
        "update evervec.interaction set occurred_at = date_trunc('hour', now()) - interval '7 days'"
        " where row_key = '{\"id\": 90}'"
    )
    item.execute("select evervec.update_trends()")
    assert value(item, "select score from evervec.trend where row_key = '{\"id\": 90}'") == 0.1
    item.execute("update evervec.setting set value = '\"6 days\"' where name = 'trend_period'")
    assert value(item, "select evervec.update_trends()") == 1
    assert value(item, "select array_agg(row_key) from evervec.trend") == [{"id": 270}]
    item.execute("delete from evervec.interaction")
    assert value(item, "select evervec.update_trends()") == 1
