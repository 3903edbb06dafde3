"""Pausing, bypassing and starting over: what is logged, what is claimed, what is left."""

from __future__ import annotations

import psycopg
import pytest

from tests.support.in_step import assert_in_step
from tests.support.sql_worker import Row, add_toy_model, claim, complete, drain, raises, rows, value


def state(conn: psycopg.Connection, source: str = "film") -> str:
    return str(value(conn, "select state from evervec.status where source = %s", source))


def second_source(conn: psycopg.Connection) -> None:
    conn.execute("select evervec.track('film', '{title}', p_model => 'toy', p_name => 'again')")


def test_a_paused_source_logs_and_folds_and_gives_no_work(film: psycopg.Connection) -> None:
    drain(film)

    paused = value(film, "select evervec.pause('film')")
    film.execute("update film set title = 'Changed' where id <= 3")
    jobs = claim(film)
    (pending,) = rows(film, "select * from evervec.pending('film')")

    assert (paused, state(film)) == (1, "paused")
    assert jobs == []
    assert (pending["log"], pending["queued"]) == (0, 3)


def test_a_resumed_source_catches_up(film: psycopg.Connection) -> None:
    film.execute("select evervec.pause('film')")

    resumed = value(film, "select evervec.resume('film')")

    assert (resumed, state(film)) == (1, "active")
    assert len(drain(film).texts) == 10
    assert_in_step(film)


def test_pausing_everything_leaves_out_what_is_suspended_or_paused(
    film: psycopg.Connection,
) -> None:
    second_source(film)
    film.execute("select evervec.suspend('again')")

    counts = [
        value(film, f"select evervec.{call}()") for call in ("pause", "pause", "resume", "resume")
    ]

    assert counts == [1, 0, 1, 0]
    assert (state(film), state(film, "again")) == ("active", "suspended")


def test_other_sources_go_on_while_one_is_paused(film: psycopg.Connection) -> None:
    second_source(film)
    film.execute("select evervec.pause('film')")

    jobs = claim(film, 1000)

    assert {job["source"] for job in jobs} == {"again"}


def test_what_was_claimed_before_a_pause_is_completed(film: psycopg.Connection) -> None:
    jobs = claim(film)

    film.execute("select evervec.pause()")

    assert complete(film, jobs) == {"completed": 10}


@pytest.mark.parametrize("call", ["pause", "resume", "reset", "doctor"])
def test_an_unknown_source_is_named(film: psycopg.Connection, call: str) -> None:
    with raises(film, "VE101", "nowhere"):
        film.execute(f"select evervec.{call}('nowhere')".encode())


def test_a_bypassed_load_is_not_noticed_until_it_is_reconciled(film: psycopg.Connection) -> None:
    drain(film)

    with film.transaction():
        film.execute("set local evervec.bypass = on")
        film.execute("insert into film select g, 'Bulk ' || g from generate_series(11, 20) g")
        film.execute("update film set title = 'Other' where id = 1; delete from film where id = 2")
    unnoticed = rows(film, "select * from evervec.pending()")[0]
    slices: list[Row] = []
    while not slices or slices[-1]["examined"]:
        slices += rows(film, "select * from evervec.reconcile('film')")
    found = {n: sum(s[n] for s in slices) for n in ("missing", "stale", "orphaned")}

    assert not any(unnoticed.values())
    assert found == {"missing": 10, "stale": 1, "orphaned": 1}
    assert len(drain(film).texts) == 11
    assert_in_step(film)


def test_reset_drops_every_vector_and_makes_them_anew(film: psycopg.Connection) -> None:
    drain(film)
    film.execute("select evervec.build_index('film')")

    dropped = value(film, "select evervec.reset('film')")

    assert dropped == 10
    assert value(film, "select count(*) from film_embedding") == 0
    assert value(film, "select index_state from evervec.status") == "not built"
    assert len(drain(film).texts) == 10
    assert_in_step(film)


def test_reset_of_column_storage_logs_nothing(conn: psycopg.Connection) -> None:
    add_toy_model(conn)
    conn.execute(
        """
        create table film (id integer primary key, title text);
        insert into film select g, 'Film ' || g from generate_series(1, 5) g;
        select evervec.track('film', '{title}', p_model => 'toy', p_storage => 'column');
        """
    )
    drain(conn)
    conn.execute("select evervec.build_index('film')")

    dropped = value(conn, "select evervec.reset('film')")

    assert dropped == 5
    assert value(conn, "select count(embedding) from film") == 0
    assert value(conn, "select count(*) from evervec.change_log") == 0
    assert value(conn, "show evervec.bypass") == ""
    assert len(drain(conn).texts) == 5
    assert value(conn, "select count(embedding) from film") == 5


@pytest.mark.parametrize("storage", ["table", "column"])
def test_reset_of_rows_makes_theirs_anew_whatever_the_cache_has(
    conn: psycopg.Connection, storage: str
) -> None:
    add_toy_model(conn)
    conn.execute(
        f"""
        create table film (id integer primary key, title text);
        insert into film select g, 'Film ' || g from generate_series(1, 5) g;
        select evervec.track('film', '{{title}}', p_model => 'toy', p_storage => '{storage}');
        """
    )
    drain(conn)
    table = "film" if storage == "column" else "film_embedding"
    keys = """array['{"id": 2}', '{"id": 4}', '{"id": 2}', '{"id": 99}']::jsonb[]"""

    dropped = value(conn, f"select evervec.reset('film', {keys})")

    assert dropped == 2
    assert rows(conn, f"select id from {table} where embedding is not null order by 1") == [
        {"id": 1},
        {"id": 3},
        {"id": 5},
    ]
    assert sorted(drain(conn).texts) == ["Title: Film 2", "Title: Film 4"]
    assert value(conn, f"select count(embedding) from {table}") == 5


def test_reset_of_rows_whose_vector_is_held_changes_nothing(film: psycopg.Connection) -> None:
    drain(film)
    with psycopg.connect(film.info.dsn) as other:
        other.execute("select from film_embedding where id = 3 for update")

        with raises(film, "55P03", "is locked"):
            film.execute("select evervec.reset('film', array['{\"id\": 3}']::jsonb[])")

    assert drain(film).texts == []
    assert_in_step(film)


def test_vectors_brought_by_hand_are_not_reset(conn: psycopg.Connection) -> None:
    add_toy_model(conn)
    conn.execute(
        """
        create table place (id integer primary key);
        insert into place values (1);
        select evervec.track('place', p_model => 'toy', p_storage => 'manual');
        select evervec.put_embedding('place', '{"id": 1}', '[1,0,0,0]');
        """
    )

    with raises(conn, "VE111", "storage"):
        conn.execute("select evervec.reset('place')")

    assert value(conn, "select count(*) from place_embedding") == 1
