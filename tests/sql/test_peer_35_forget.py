"""PEERS.md 35: forgetting a user leaves no trace, wherever it was kept."""

from __future__ import annotations

import json

import psycopg
import pytest

from tests.support.people import keep_everywhere, user_tables
from tests.support.sql_worker import raises, rows, value

# Nothing else contains it.
USER = "6f1e0d9c-ffff-4000-8000-00000000cafe"


def traces(conn: psycopg.Connection, user: str = USER) -> dict[str, int]:
    """Table → rows in which the user is found: all of schema evervec, and what track made."""
    tables = rows(
        conn,
        """
        select c.oid::regclass::text as name
          from pg_class c
         where c.relkind in ('r', 'm')
           and (c.relnamespace = 'evervec'::regnamespace
                or c.oid in (select target from evervec.source))
        """,
    )
    assert len(tables) > 30
    found = {
        table["name"]: value(
            conn, f"select count(*) from {table['name']} t where strpos(t::text, %s) > 0", user
        )
        for table in tables
    }
    return {name: count for name, count in found.items() if count}


@pytest.fixture
def known(film: psycopg.Connection) -> psycopg.Connection:
    """The user is in every table that has one, in tasks, and in errors; so is bob."""
    film.execute(
        """
        create table shelf (user_id text, film_id integer, stars text);
        insert into shelf values (%s, 1, 'none');
        """.replace("%s", f"'{USER}'")
    )
    film.execute(
        "select evervec.add_signal('film', 'shelf', %s)",
        ["select user_id, film_id as id, (user_id || stars)::float8 as rating from public.shelf"],
    )
    rows(film, "select u.* from evervec.source s, evervec.user_signals(s, %s) u", USER)
    for user in (USER, "bob"):
        film.execute(
            """
            select evervec.record_interaction(%s, 'film', '{"id": 1}', 'favorite', p_key => 'k',
                                              p_context => jsonb_build_object('by', %s::text))
            """,
            [user, user],
        )
        keep_everywhere(film, user)
        for task in ("unheard_of", "user_model_update"):
            film.execute(
                "select evervec.enqueue_task(%s, %s)",
                [task, json.dumps({"user": user, "source": "film"})],
            )
        while rows(film, "select * from evervec.claim_jobs(100, p_cached => false)"):
            pass
    film.execute("delete from evervec.leaver where user_id = 'bob'")
    for user in (USER, "bob"):
        film.execute(
            "select evervec.enqueue_task('later', %s)", [json.dumps({"user": user, "at": "noon"})]
        )
    return film


def test_peer_35_forgetting_a_user_leaves_no_trace(known: psycopg.Connection) -> None:
    before = traces(known)
    assert set(before) >= {
        *(table for table in user_tables(known)),
        *("evervec.processing_queue", "evervec.dead_letter", "evervec.signal"),
    }
    others = traces(known, "bob")

    erased = {
        row["kind"]: row["rows"]
        for row in rows(known, "select * from evervec.forget_user(%s)", USER)
    }

    assert traces(known) == {}
    assert traces(known, "bob") == others
    for name, count in before.items():
        kind = name.removeprefix("evervec.")
        if kind != "signal" and not kind.startswith("interaction_2"):
            assert erased[kind] == count
    assert rows(known, "select * from evervec.forget_user(%s) where rows > 0", USER) == []


@pytest.mark.parametrize("isolation", ["read committed", "repeatable read", "serializable"])
def test_peer_35_who_is_deleted_from_the_applications_table_is_forgotten(
    known: psycopg.Connection, isolation: str
) -> None:
    known.execute(
        "create table member (gone text, id text primary key); alter table member drop gone"
    )
    known.execute("insert into member values (%s), ('bob'), ('eve')", [USER])
    known.execute("select evervec.track_users('member', 'id')")
    known.execute("alter table member rename id to member_id")
    others = traces(known, "bob")

    with known.transaction():
        known.execute(f"set transaction isolation level {isolation}".encode())
        known.execute("delete from member where member_id <> 'bob'")
    if isolation != "read committed":
        assert "evervec.leaver" in traces(known)
        assert value(known, "select evervec.forget_leavers()") == 2
    known.execute("drop table shelf")

    assert traces(known) == {}
    assert traces(known, "bob") == others


def test_truncate_forgets_all_who_are_in_no_other_table_of_users(
    known: psycopg.Connection,
) -> None:
    known.execute(
        """
        create table member (id text);
        create table staff (id text);
        insert into staff values ('bob');
        select evervec.track_users('member', 'id'), evervec.track_users('staff', 'id');
        """
    )
    others = traces(known, "bob")
    known.execute("truncate member")
    assert traces(known) == {}
    assert traces(known, "bob") == others


def test_an_untracked_table_forgets_nobody(known: psycopg.Connection) -> None:
    known.execute("create table member (id text)")
    known.execute("insert into member values (%s)", [USER])
    track = "select evervec.track_users('member', 'id')"
    known.execute(track)
    known.execute(track)
    assert value(known, "select evervec.untrack_users('member')") is True
    assert value(known, "select evervec.untrack_users('member')") is False
    known.execute("delete from member")
    assert traces(known)
    assert value(known, "select count(*) from pg_trigger where tgrelid = 'member'::regclass") == 0


@pytest.mark.parametrize(
    ("relation", "key", "detail"),
    [
        ("view", "id", "is no table"),
        ("part", "id", "is a partitioned table"),
        ("part_1", "id", "is a partition"),
        ("pg_temp.passing", "id", "is a temporary table"),
        ("film", "name", "It has no column name; its columns: id, title, year."),
        ("film", None, "It has no column"),
        (None, "id", "is no relation"),
    ],
)
def test_what_is_no_table_of_users_is_refused(
    film: psycopg.Connection, relation: str | None, key: str | None, detail: str
) -> None:
    film.execute(
        """
        create view view as select 1 as id;
        create table part (id text) partition by list (id);
        create table part_1 partition of part default;
        create temporary table passing (id text);
        """
    )
    with raises(film, "VE508", "cannot be tracked") as caught:
        film.execute("select evervec.track_users(%s::regclass, %s)", [relation, key])
    assert detail in (caught.value.diag.message_detail or "")
