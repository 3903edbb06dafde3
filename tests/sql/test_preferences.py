"""Preferences: when they are made anew, for whom, of what kind, and by whose right."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import psycopg
import pytest

from tests.support.cluster import Database
from tests.support.roles import role, session_of
from tests.support.sql_worker import drain, raises, rows, toy_vector, value

ONE, TWO, THREE = '{"id": 1}', '{"id": 2}', '{"id": 3}'


@pytest.fixture
def shelf(film: psycopg.Connection) -> psycopg.Connection:
    """film with vectors, and a signal over shelf(user_id, id, rating), where ann has film 1."""
    drain(film)
    film.execute(
        """
        create table shelf (user_id text, id int, rating numeric, primary key (user_id, id));
        insert into shelf values ('ann', 1, 5);
        select evervec.add_signal('film', 'shelf', 'select * from public.shelf');
        """
    )
    return film


def record(conn: psycopg.Connection, user: str, row: str, kind: str = "favorite") -> None:
    conn.execute("select evervec.record_interaction(%s, 'film', %s, %s)", [user, row, kind])


def update(conn: psycopg.Connection, user: str, kind: str | None = None) -> bool:
    return bool(value(conn, "select evervec.update_user_embedding(%s, 'film', %s)", user, kind))


def update_all(conn: psycopg.Connection) -> int:
    return int(value(conn, "select evervec.update_user_embeddings()"))


def known(conn: psycopg.Connection) -> list[tuple[str, str, int]]:
    """User, kind and taste of all that is known."""
    return [
        (row["user_id"], row["preference_type"], row["taste"])
        for row in rows(
            conn,
            "select * from evervec.user_preference where embedding is not null order by 1, 2, 3, 4",
        )
    ]


def inputs(conn: psycopg.Connection, user: str = "ann") -> bytes:
    return bytes(value(conn, "select evervec.user_inputs(%s, 'film')", user))


def test_one_like_makes_a_preference_near_the_row(shelf: psycopg.Connection) -> None:
    assert update(shelf, "ann")

    (found,) = rows(shelf, "select * from evervec.user_preference")
    assert (found["liked"], found["sample_size"], found["share"]) == ([{"id": 1}], 1, 1)
    assert found["confidence"] == pytest.approx(6 / 11)
    nearest = "select row_key from evervec.find_similar('film', %s::vector, 1)"
    assert value(shelf, nearest, found["embedding"]) == {"id": 1}


def test_a_user_of_whom_nothing_is_known_has_none(shelf: psycopg.Connection) -> None:
    assert not update(shelf, "bob")
    assert known(shelf) == []


def test_what_can_be_learned_no_more_is_no_preference_any_more(shelf: psycopg.Connection) -> None:
    update(shelf, "ann")
    shelf.execute("delete from shelf")

    assert not update(shelf, "ann")
    assert known(shelf) == []


@pytest.mark.parametrize("storage", ["table", "column"])
def test_rows_without_a_vector_and_rows_that_are_gone_count_nothing(
    film: psycopg.Connection, storage: str
) -> None:
    film.execute(
        "select evervec.untrack('film', p_drop_vectors => true);"
        f" select evervec.track('film', p_columns => '{{title}}', p_model => 'toy',"
        f" p_storage => '{storage}')"
    )
    drain(film)
    record(film, "ann", ONE)
    record(film, "ann", TWO)
    record(film, "ann", '{"id": 999}')
    film.execute("update film set title = null where id = 2")
    drain(film)

    assert update(film, "ann")
    assert value(film, "select liked from evervec.user_preference") == [{"id": 1}]
    assert value(film, "select sample_size from evervec.user_preference") == 1


@pytest.mark.parametrize(
    "change",
    [
        "insert into shelf values ('ann', 2, 1)",
        "update shelf set rating = 4",
        "delete from shelf",
        "select evervec.record_interaction('ann', 'film', '{\"id\": 3}', 'view')",
        "update evervec.interaction_type set weight = 0.3 where name = 'view'",
        "update evervec.weighting set half_life = '1 day' where name = 'evervec'",
        "select evervec.add_preference('film', 'other', 'collection')",
        "select evervec.drop_signal('film', 'shelf')",
    ],
)
def test_whatever_decides_changes_the_hash_of_the_inputs_and_makes_the_user_due(
    shelf: psycopg.Connection, change: str
) -> None:
    update(shelf, "ann")
    before = inputs(shelf)
    assert (inputs(shelf), update_all(shelf)) == (before, 0)

    shelf.execute(change)

    assert inputs(shelf) != before
    assert update_all(shelf) == 1
    assert update_all(shelf) == 0


def test_what_others_do_changes_nothing(shelf: psycopg.Connection) -> None:
    before = inputs(shelf)
    shelf.execute("insert into shelf values ('bob', 2, 1)")
    record(shelf, "bob", THREE)
    assert inputs(shelf) == before


def test_the_hash_is_the_same_in_every_session(shelf: psycopg.Connection, url: str) -> None:
    record(shelf, "ann", TWO, "view")
    with psycopg.connect(url) as other:
        other.execute(
            "set timezone = 'Asia/Tokyo'; set datestyle = 'German'; set intervalstyle = 'iso_8601';"
            " set extra_float_digits = -5"
        )
        assert inputs(other) == inputs(shelf)


def test_all_users_are_known_after_one_call_and_none_is_due_afterwards(
    shelf: psycopg.Connection,
) -> None:
    record(shelf, "bob", TWO)
    record(shelf, "cyd", TWO, "search")  # of a type that counts
    shelf.execute("insert into shelf values ('dan', 999, 5)")  # no such row

    assert update_all(shelf) == 4
    assert known(shelf) == [("ann", "default", 1), ("bob", "default", 1), ("cyd", "default", 1)]
    assert update_all(shelf) == 0


def test_a_limit_is_kept_and_the_rest_comes_next(shelf: psycopg.Connection) -> None:
    shelf.execute(
        "insert into shelf select 'user ' || g, 1 + g % 10, 4 from generate_series(1, 9) g"
    )

    call = "select evervec.update_user_embeddings('film', 4)"

    assert [value(shelf, call) for _ in range(4)] == [4, 4, 2, 0]
    assert len(known(shelf)) == 10
    with raises(shelf, "VE204", "a limit of 0 users makes no sense"):
        shelf.execute("select evervec.update_user_embeddings('film', 0)")
    with raises(shelf, "VE101", "nowhere"):
        shelf.execute("select evervec.update_user_embeddings('nowhere')")


def test_a_day_later_a_preference_is_made_anew(shelf: psycopg.Connection) -> None:
    update_all(shelf)
    shelf.execute("update evervec.user_preference set updated_at = now() - interval '25 hours'")
    assert update_all(shelf) == 1


def test_a_user_who_left_nothing_behind_is_forgotten(shelf: psycopg.Connection) -> None:
    update_all(shelf)
    shelf.execute("delete from shelf")

    assert update_all(shelf) == 1
    assert rows(shelf, "select * from evervec.user_preference") == []
    assert update_all(shelf) == 0


def test_a_signal_that_fails_keeps_nobody_from_being_known(shelf: psycopg.Connection) -> None:
    record(shelf, "ann", TWO)
    shelf.execute("drop table shelf")

    assert update(shelf, "ann")
    assert value(shelf, "select liked from evervec.user_preference") == [{"id": 2}]
    assert value(shelf, "select last_error from evervec.signal") is not None


def test_kinds_of_preference_count_what_they_are_told_to(shelf: psycopg.Connection) -> None:
    record(shelf, "ann", TWO)
    record(shelf, "ann", THREE, "view")
    add = "select evervec.add_preference('film', %s, 'collection', %s, %s)"
    assert value(shelf, add, "had", ["shelf"], [])
    assert value(shelf, add, "done", [], ["favorite"])
    assert not value(shelf, add, "done", [], ["favorite", "view"])

    assert update(shelf, "ann")

    liked = {
        row["preference_type"]: sorted(key["id"] for key in row["liked"])
        for row in rows(shelf, "select * from evervec.user_preference")
    }
    assert liked == {"default": [1, 2, 3], "had": [1], "done": [2, 3]}
    with raises(shelf, "VE509", 'no kind of preference "none"'):
        update(shelf, "ann", "none")


@pytest.mark.parametrize(
    ("arguments", "sqlstate", "message"),
    [
        ("'film', null", "VE511", "NULL is no name"),
        ("'film', ' '", "VE511", "no name"),
        ("'film', 'x', 'none'", "VE510", "weighting 'none' does not exist"),
        ("'film', 'x', p_tastes => 21", "VE512", "21 tastes"),
        ("'film', 'x', p_tastes => null", "VE512", "NULL tastes"),
        ("'film', 'x', p_signals => '{none}'", "VE512", "signal 'none' of source"),
        ("'film', 'x', p_types => '{none}'", "VE512", "interaction type 'none'"),
        ("'none', 'x'", "VE101", "none"),
    ],
)
def test_a_bad_kind_of_preference_is_refused(
    shelf: psycopg.Connection, arguments: str, sqlstate: str, message: str
) -> None:
    with raises(shelf, sqlstate, message):
        shelf.execute(f"select evervec.add_preference({arguments})")


@pytest.fixture
def corners(film: psycopg.Connection) -> psycopg.Connection:
    """Films 1 to 3, 4 to 6 and 7 to 9 near three corners, and a kind of three tastes."""
    film.execute("select evervec.pause('film')")
    with film.cursor() as cursor:
        cursor.executemany(
            "insert into film_embedding (id, content_hash, model_id, embedding)"
            " select %s, '', model_id, %s::vector from evervec.source",
            [
                (
                    row,
                    str(
                        [0.01 * row + (5 if (row - 1) // 3 == corner else 0) for corner in range(4)]
                    ),
                )
                for row in range(1, 10)
            ],
        )
    film.execute("select evervec.add_preference('film', 'tastes', p_tastes => 3)")
    return film


def test_several_tastes_are_told_apart(corners: psycopg.Connection) -> None:
    for row in (1, 2, 3, 4, 5, 7):
        record(corners, "ann", f'{{"id": {row}}}')
        record(corners, "bob", f'{{"id": {1 + row % 3}}}')

    update_all(corners)

    tastes = (
        "select * from evervec.user_preference"
        " where user_id = %s and preference_type = 'tastes' order by taste"
    )
    ann = rows(corners, tastes, "ann")
    assert [{key["id"] for key in row["liked"]} for row in ann] == [{1, 2, 3}, {4, 5}, {7}]
    assert [row["taste"] for row in ann] == [1, 2, 3]
    assert [row["share"] for row in ann] == pytest.approx([3 / 6, 2 / 6, 1 / 6], abs=0.02)
    assert {key["id"] for row in rows(corners, tastes, "bob") for key in row["liked"]} == {1, 2, 3}


def test_a_taste_that_is_gone_is_forgotten(corners: psycopg.Connection) -> None:
    for row in (1, 4, 7):
        record(corners, "ann", f'{{"id": {row}}}')
    update(corners, "ann")
    assert [key for key in known(corners) if key[1] == "tastes"] == [
        ("ann", "tastes", taste) for taste in (1, 2, 3)
    ]

    corners.execute("delete from film where id in (4, 7)")
    update(corners, "ann")

    assert [key for key in known(corners) if key[1] == "tastes"] == [("ann", "tastes", 1)]


def test_a_dislike_draws_only_from_the_taste_that_it_is_near(corners: psycopg.Connection) -> None:
    for row in (1, 2, 4, 5):
        record(corners, "ann", f'{{"id": {row}}}')
    update(corners, "ann")
    embeddings = """
        select embedding::real[] from evervec.user_preference
         where preference_type = 'tastes' and liked @> array['{"id": 1}'::jsonb]
    """
    before = value(corners, embeddings)
    record(corners, "ann", '{"id": 6}', "dismiss")
    update(corners, "ann")
    assert np.allclose(value(corners, embeddings), before, atol=1e-3)


@pytest.fixture
def somebody(
    shelf: psycopg.Connection, superuser_conn: psycopg.Connection, database: Database
) -> Iterator[tuple[str, psycopg.Connection]]:
    """A role and its session."""
    with role(superuser_conn) as name, session_of(database, name) as session:
        yield name, session


def test_a_worker_updates_everybody(
    shelf: psycopg.Connection, somebody: tuple[str, psycopg.Connection]
) -> None:
    name, session = somebody
    shelf.execute("select evervec.grant_access(%s, 'worker')", [name])
    assert update(session, "ann")
    assert update_all(session) == 0
    with raises(session, "VE502", "no user"):
        update(session, " ")


def test_who_may_only_update_is_confined_to_who_it_is(
    shelf: psycopg.Connection, somebody: tuple[str, psycopg.Connection]
) -> None:
    name, session = somebody
    shelf.execute(
        f"grant usage on schema evervec to {name};"
        f" grant execute on function evervec.update_user_embedding, evervec.user_inputs to {name}"
    )
    with raises(session, "VE501", "another user's"):
        update(session, "ann")
    session.execute("set evervec.user_id = 'ann'")
    assert update(session, "ann")
    assert len(inputs(session)) == 32
    with raises(session, "VE501", "another user's"):
        inputs(session, "bob")


def test_another_model_makes_every_user_due(shelf: psycopg.Connection) -> None:
    update_all(shelf)
    shelf.execute("select evervec.add_model('other', 'toy', 4)")
    shelf.execute(
        "update evervec.source s set model_id = m.model_id from evervec.model m"
        " where m.name = 'other'"
    )
    assert update_all(shelf) == 1
    models = "select distinct model_id from evervec.{}"
    (source,) = rows(shelf, models.format("source"))
    assert rows(shelf, models.format("source_centre")) == [source]
    assert rows(shelf, models.format("user_preference")) == [source]


def test_the_toy_vectors_have_something_in_common_that_is_taken_away(
    shelf: psycopg.Connection,
) -> None:
    """All elements are positive: two users' plain sums would be alike, whatever they like."""
    shelf.execute("insert into shelf values ('bob', 9, 5)")
    update_all(shelf)
    ann, bob = (
        np.array(row["embedding"])
        for row in rows(
            shelf,
            "select embedding::real[] as embedding from evervec.user_preference order by user_id",
        )
    )
    plain = [
        np.array([float(x) for x in toy_vector(f"Title: Film {n}")[1:-1].split(",")])
        for n in (1, 9)
    ]
    alike = plain[0] @ plain[1] / np.linalg.norm(plain[0]) / np.linalg.norm(plain[1])
    assert ann @ bob < alike
