# ruff: noqa: E501  (a statement of SQL reads best on one line)
"""PEERS.md 1–8: what changes a text is noticed once, and nothing else costs a call."""

from __future__ import annotations

import psycopg
import pytest

from tests.support.in_step import assert_in_step, drain_all
from tests.support.sql_worker import Row, add_toy_model, claim, drain, rows, value


def jobs_and_log(conn: psycopg.Connection) -> int:
    """What has been logged or queued and not been done yet."""
    pending = rows(conn, "select * from evervec.pending()")[0]
    return sum(pending.values())


def test_peer_01_a_change_of_another_column_costs_nothing(film: psycopg.Connection) -> None:
    drain(film)

    film.execute("update film set year = year + 1")

    assert jobs_and_log(film) == 0


def test_peer_02_an_update_that_changes_nothing_costs_nothing(film: psycopg.Connection) -> None:
    drain(film)

    film.execute("update film set title = title; update film set id = id, year = year")
    film.execute(
        "insert into film select * from film on conflict (id) do update set title = excluded.title"
    )

    assert jobs_and_log(film) == 0


def test_peer_03_a_bulk_statement_calls_its_trigger_once(film: psycopg.Connection) -> None:
    insert = "insert into film select g, 'Film ' || g from generate_series(11, 2010) g"
    plans = [
        value(film, f"explain (analyze, format json) {statement}")[0]
        for statement in (insert, "delete from film where id > 10")
    ]

    # A DELETE has two: one logs, the other removes vectors.
    assert [[t["Calls"] for t in plan["Triggers"]] for plan in plans] == [[1], [1, 1]]
    drain(film, 1000)
    assert_in_step(film)


def test_peer_04_ten_changes_of_a_row_are_one_call(film: psycopg.Connection) -> None:
    drain(film)

    for number in range(10):
        film.execute("update film set title = %s where id = 1", [f"Version {number}"])
        film.execute("select evervec.fold()")

    assert drain(film).texts == ["Title: Version 9"]


def test_peer_05_column_storage_never_triggers_itself(film: psycopg.Connection) -> None:
    """A trigger of the application keeps updated_at, so every write of the worker changes the row."""
    film.execute(
        """
        select evervec.untrack('film', true);
        alter table film add updated_at timestamptz not null default now();
        create function touch() returns trigger language plpgsql as
            $$ begin new.updated_at := clock_timestamp(); return new; end $$;
        create trigger touch before update on film for each row execute function touch();
        select evervec.track('film', '{title}', p_model => 'toy', p_storage => 'column');
        """
    )

    assert len(drain(film).texts) == 10
    film.execute("update film set title = 'x' where id = 1; update film set year = 1 where id = 2")
    assert drain(film).texts == ["Title: x"]
    assert jobs_and_log(film) == 0
    assert claim(film) == []
    assert value(film, "select count(*) from film where embedding is not null") == 10


@pytest.mark.parametrize("blank", ["null", "''", "E' \\n\\t'"])
def test_peer_06_without_text_there_is_no_vector(film: psycopg.Connection, blank: str) -> None:
    drain(film)
    film.execute(f"update film set title = {blank} where id = 1")

    drain(film)

    found = rows(film, "select row_key from evervec.find_similar('film', '[1,1,1,1]', 100)")
    assert sorted(r["row_key"]["id"] for r in found) == list(range(2, 11))
    assert_in_step(film)


GAMES = """
    create table game (id int primary key, title text);
    create table genre (id int primary key, name text);
    create table game_genre (game_id int references game on delete cascade, genre_id int references genre on delete cascade,
                             primary key (game_id, genre_id));
    insert into game select g, 'Game ' || g from generate_series(1, 5) g;
    insert into genre values (1, 'Action'), (2, 'Puzzle'), (3, 'Racing');
    insert into game_genre values (1, 1), (1, 2), (2, 1), (3, 2);
"""
TRACK_GAMES = """
    select evervec.track('game', p_model => 'toy',
        p_text_sql => $$ game.title || coalesce((
            select ': ' || string_agg(g.name, ', ' order by g.name)
              from public.genre g join public.game_genre gg on gg.genre_id = g.id where gg.game_id = game.id), '') $$,
        p_depends_on => '{
            "public.game_genre": "game_id",
            "public.genre": {"columns": ["id"], "watch": ["name"],
                             "keys": "select gg.game_id from public.game_genre gg join changed c on c.id = gg.genre_id"}}')
"""


def assert_games_in_step(conn: psycopg.Connection) -> None:
    """The texts, worked out here from all three tables."""
    names: dict[int, str | None] = dict(conn.execute("select id, name from genre"))
    genres: dict[int, list[str | None]] = {}
    for game, genre in conn.execute("select game_id, genre_id from game_genre").fetchall():
        genres.setdefault(game, []).append(names[genre])

    def text(row: Row) -> str | None:
        of = ", ".join(sorted(name for name in genres.get(row["id"], []) if name is not None))
        return None if row["title"] is None else str(row["title"]) + (f": {of}" if of else "")

    assert_in_step(conn, "game", text=text)


@pytest.mark.parametrize(
    ("statement", "texts"),
    [
        ("update genre set name = 'Adventure' where id = 1", 2),
        ("update genre set name = upper(name)", 3),
        ("update genre set name = name", 0),
        ("insert into game_genre values (4, 3), (5, 3), (1, 3)", 3),
        ("delete from game_genre where genre_id = 1", 2),
        ("update game_genre set genre_id = 3 where game_id = 3", 1),
        ("update game_genre set game_id = 4 where game_id = 3", 2),
        ("delete from genre where id = 2", 2),
        ("truncate game_genre", 3),
        ("truncate genre cascade", 3),
        ("insert into genre values (4, 'Unused')", 0),
        ("delete from game where id = 1", 0),
        ("update game set title = 'x' where id = 1", 1),
        ("insert into game values (6, 'New'); insert into game_genre values (6, 1)", 1),
        (
            "delete from game_genre where game_id = 1; insert into game_genre values (1, 1), (1, 2)",
            0,
        ),
    ],
    ids=str,
)
def test_peer_07_a_change_of_a_joined_table_is_noticed(
    conn: psycopg.Connection, statement: str, texts: int
) -> None:
    add_toy_model(conn)
    conn.execute(GAMES)
    conn.execute(TRACK_GAMES)
    drain(conn)
    assert_games_in_step(conn)

    conn.execute(statement)

    assert len(drain(conn).texts) == texts
    assert_games_in_step(conn)


def test_peer_07_a_bulk_change_of_a_joined_table_is_one_call_of_its_trigger(
    conn: psycopg.Connection,
) -> None:
    add_toy_model(conn)
    conn.execute(GAMES)
    conn.execute(TRACK_GAMES)

    plan = value(
        conn,
        "explain (analyze, format json) insert into game_genre select 5, g from generate_series(1, 3) g",
    )[0]

    calls = {
        t["Trigger Name"]: t["Calls"] for t in plan["Triggers"] if "evervec" in t["Trigger Name"]
    }
    assert list(calls.values()) == [1]


def test_peer_07_a_renamed_column_of_a_joined_table_fails_no_writer(
    conn: psycopg.Connection,
) -> None:
    add_toy_model(conn)
    conn.execute(GAMES)
    conn.execute(TRACK_GAMES)
    drain(conn)

    conn.execute("alter table game_genre rename column game_id to of_game")
    conn.execute("insert into game_genre values (5, 1); delete from game_genre where of_game = 1")
    conn.execute("update game_genre set genre_id = 3 where of_game = 3")
    conn.execute("alter table genre rename to kind")
    conn.execute("update kind set name = 'x' where id = 1")


def test_peer_08_whatever_changes_a_row_is_noticed(conn: psycopg.Connection) -> None:
    """All at once here; one by one in test_changes."""
    add_toy_model(conn)
    conn.execute(
        """
        create table studio (id int primary key);
        create table film (id int, year int, title text, studio_id int references studio on delete cascade,
                           primary key (id, year)) partition by range (year);
        create table film_old partition of film for values from (1900) to (2000);
        create table film_new partition of film for values from (2000) to (2100);
        insert into studio values (1), (2);
        select evervec.track('film', '{title}', p_model => 'toy');
        """
    )
    with (
        conn.cursor() as cursor,
        cursor.copy("copy film (id, year, title, studio_id) from stdin") as copy,
    ):
        for number in range(1, 21):
            copy.write_row((number, 1990 + number, f"Film {number}", number % 2 + 1))
    drain_all(conn)
    for statement in (
        "insert into film_old values (30, 1950, 'direct')",
        "insert into film values (1, 1991, 'x') on conflict (id, year) do update set title = 'conflict'",
        "merge into film using (values (2)) v (id) on film.id = v.id when matched then update set title = 'merge'",
        "update film set id = 40 where id = 4",
        "update film set year = 2050 where id = 6",
        "delete from studio where id = 2",
        "truncate film_new",
    ):
        conn.execute(statement)
        drain_all(conn)
        assert_in_step(conn, key=("id", "year"))
