"""Signals: queries over the application's tables that tell who likes which rows."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from tests.support.roles import role
from tests.support.sql_worker import Row, raises, rows, value

QUERY = """
select user_id, film_id as id, stars as rating, habit as frequency, seen_at as at
  from public.library
"""


@pytest.fixture
def library(film: psycopg.Connection) -> psycopg.Connection:
    """library(user_id, film_id, …), where user 1 has films 1 and 2, and user 2 film 2."""
    film.execute(
        """
        create table library (user_id integer, film_id integer, stars numeric, habit text,
                              seen_at date, primary key (user_id, film_id));
        insert into library values (1, 1, 4.5, 'daily', '2026-01-01'),
                                   (1, 2, null, null, null), (2, 2, 'NaN', 'weekly', 'infinity');
        """
    )
    return film


def add(conn: psycopg.Connection, name: str = "library", query: str = QUERY) -> None:
    conn.execute("select evervec.add_signal('film', %s, %s)", [name, query])


def said(conn: psycopg.Connection, user: str | None) -> list[Row]:
    """What the signals of film say."""
    return rows(
        conn,
        """
        select u.* from evervec.source s cross join lateral evervec.user_signals(s, %s) u
         where s.name = 'film' order by u.signal, u.user_id, u.row_key
        """,
        user,
    )


def findings(conn: psycopg.Connection) -> list[str]:
    return [
        row["problem"]
        for row in rows(conn, "select * from evervec.doctor() where finding = 'broken signal'")
    ]


def test_a_signal_says_who_has_which_row_and_how_it_is_liked(library: psycopg.Connection) -> None:
    name = value(library, "select evervec.add_signal('film', 'library', %s, 0.7)", QUERY)
    assert name == "signal_film_library"

    first, second = rows(library, "select * from evervec.signal_film_library('1') order by row_key")

    assert (first["user_id"], first["row_key"], first["rating"]) == ("1", {"id": 1}, 4.5)
    assert (first["frequency"], first["at"].isoformat()[:10]) == ("daily", "2026-01-01")
    assert (first["amount"], first["weight"]) == (None, None)
    assert (second["row_key"], second["rating"], second["at"]) == ({"id": 2}, None, None)
    assert [row["signal_weight"] for row in said(library, "1")] == [0.7, 0.7]
    assert value(library, "select columns from evervec.signal") == ["rating", "frequency", "at"]


def test_without_a_user_it_says_so_of_all(library: psycopg.Connection) -> None:
    add(library)
    assert [(row["user_id"], row["row_key"]["id"]) for row in said(library, None)] == [
        ("1", 1),
        ("1", 2),
        ("2", 2),
    ]


def test_a_change_in_the_applications_table_counts_at_once(library: psycopg.Connection) -> None:
    add(library)
    library.execute("delete from library where film_id = 1")
    assert [row["row_key"]["id"] for row in said(library, "1")] == [2]


def test_numbers_that_are_none_are_left_out_and_great_ones_cut(library: psycopg.Connection) -> None:
    add(
        library,
        query="""
        select user_id, film_id as id, stars as rating, -1e300 as amount, seen_at as at,
               'infinity'::real as weight
          from public.library
        """,
    )
    [row] = said(library, "2")
    assert (row["rating"], row["amount"], row["weight"], row["at"]) == (None, -1e9, None, None)


def test_keys_that_are_null_are_no_rows(library: psycopg.Connection) -> None:
    add(
        library,
        query="""
        select user_id, nullif(film_id, 1) as id from public.library
        union all select null, 1
        """,
    )
    assert [row["user_id"] for row in said(library, None)] == ["1", "2"]


@pytest.mark.parametrize("user", ["x", "01", " 1", "99999999999999", "1 or true", "3"])
def test_a_text_that_the_type_of_user_id_would_not_print_is_nobody(
    library: psycopg.Connection, user: str
) -> None:
    add(library)
    assert said(library, user) == []


def test_one_user_is_looked_up_in_the_users_index(library: psycopg.Connection) -> None:
    """As many rows are read as the user has, whether the query groups or not."""
    library.execute(
        """
        insert into library select u, f from generate_series(11, 2010) u, generate_series(1, 10) f;
        analyze library;
        """
    )
    add(library)
    add(
        library,
        name="stars",
        query="select user_id, film_id as id, sum(stars) as amount from public.library"
        " group by user_id, film_id",
    )
    scans = "select seq_scan, idx_tup_fetch from pg_stat_xact_user_tables where relname = 'library'"
    for name in ("library", "stars"):
        with library.transaction():
            before = rows(library, scans)[0]
            for _ in range(8):  # beyond the fifth, a plan for any user
                found = rows(library, f"select * from evervec.signal_film_{name}('77')")
                assert len(found) == 10
            after = rows(library, scans)[0]
        assert after["seq_scan"] == before["seq_scan"]
        assert after["idx_tup_fetch"] - before["idx_tup_fetch"] <= 80


@pytest.mark.parametrize(
    ("query", "detail"),
    [
        ("select 1", "It gives no column user_id, id"),
        ("select user_id, film_id from public.library", "It gives no column id"),
        ("selec user_id", "syntax error"),
        ("", "syntax error"),
        (None, "syntax error"),
        ("select user_id, film_id as id from library.nowhere", "does not exist"),
        ("select user_id, film_id as id, habit as rating, now() as rating from public.library",
         "specified more than once"),
        ("select user_id, film_id as id, seen_at as rating from public.library", "cannot cast"),
        ("select array[user_id] as user_id, film_id as id from public.library",
         "Its user_id is of type integer[]"),
        ("delete from public.library returning user_id, film_id as id", "syntax error"),
        ("with d as (delete from public.library returning *) select user_id, film_id as id from d",
         "data-modifying"),
    ],
)  # fmt: skip
def test_what_is_no_query_for_a_signal_is_refused(
    library: psycopg.Connection, query: str | None, detail: str
) -> None:
    with raises(library, "VE505", "no query for a signal") as caught:
        library.execute("select evervec.add_signal('film', 'library', %s)", [query])
    assert detail in (caught.value.diag.message_detail or "")
    assert rows(library, "select * from evervec.signal") == []


def test_names_and_weights_are_checked(library: psycopg.Connection) -> None:
    add(library)
    with raises(library, "VE507", "has a signal"):
        add(library)
    for name in ("", "  ", None, "x" * 60):
        with raises(library, "VE106", "cannot be named"):
            library.execute("select evervec.add_signal('film', %s, %s)", [name, QUERY])
    for weight in ("NaN", "Infinity", "-1e10", None):
        with raises(library, "VE505", "cannot weigh"):
            library.execute("select evervec.add_signal('film', 'b', %s, %s)", [QUERY, weight])
    with raises(library, "VE101", "does not exist"):
        library.execute("select evervec.add_signal('book', 'a', 'select 1')")


def test_two_signals_cannot_share_a_function(library: psycopg.Connection) -> None:
    library.execute(
        """
        create table other (id integer primary key, body text);
        select evervec.track('other', p_name => 'film_a', p_columns => '{body}', p_model => 'toy');
        """
    )
    add(library, name="a_b")
    with raises(library, "VE106", "cannot be named"):
        library.execute("select evervec.add_signal('film_a', 'b', 'select 1 as user_id, 1 as id')")


def test_a_function_that_anybody_could_replace_is_refused(
    library: psycopg.Connection, superuser_conn: psycopg.Connection
) -> None:
    superuser_conn.execute("create schema open; grant all on schema open to public")
    superuser_conn.execute(
        "create function open.f(integer) returns integer language sql as 'select $1'"
    )
    with raises(library, "VE110", "anybody could replace"):
        add(library, query="select open.f(user_id) as user_id, film_id as id from public.library")


@pytest.fixture
def somebody(superuser_conn: psycopg.Connection) -> Iterator[str]:
    with role(superuser_conn) as name:
        yield name


def test_a_table_that_the_owner_may_not_read_is_refused(
    library: psycopg.Connection, superuser_conn: psycopg.Connection, somebody: str
) -> None:
    superuser_conn.execute(f"create schema away; alter table library set schema away;"
                           f"alter table away.library owner to {somebody}")  # fmt: skip
    query = QUERY.replace("public", "away")
    superuser_conn.execute("grant usage on schema away to evervec_owner")
    with raises(library, "VE110", "cannot read away.library") as caught:
        add(library, query=query)
    assert "who may not read that" in (caught.value.diag.message_detail or "")

    superuser_conn.execute("grant select on away.library to evervec_owner")
    superuser_conn.execute("alter table away.library enable row level security")
    with raises(library, "VE110", "cannot read away.library") as caught:
        add(library, query=query)
    assert "row-level security would hide rows" in (caught.value.diag.message_detail or "")

    superuser_conn.execute("alter table away.library disable row level security")
    add(library, query=query)
    assert len(said(library, "1")) == 2


def test_a_signal_that_fails_stops_no_other_and_doctor_and_alerts_name_it(
    library: psycopg.Connection,
) -> None:
    library.execute("create table wish (user_id integer, film_id integer)")
    library.execute("insert into wish values (1, 7)")
    add(library, name="broken", query="select user_id, film_id as id from public.wish")
    add(library)
    assert len(said(library, "1")) == 3
    library.execute("drop table wish")

    assert [row["signal"] for row in said(library, "1")] == ["library", "library"]

    [problem] = findings(library)
    assert 'Signal "broken" of "film" fails: relation "public.wish" does not exist' in problem
    alerts = rows(library, "select problem from evervec.alerts where alert = 'broken signal'")
    assert [row["problem"] for row in alerts] == [problem]

    library.execute("create table wish (user_id integer, film_id integer)")
    said(library, "1")
    assert len(findings(library)) == 1, "of one user: another may be the reason"
    said(library, None)
    assert findings(library) == []


def test_a_signal_that_fails_does_so_in_a_read_only_transaction_too(
    library: psycopg.Connection,
) -> None:
    add(library)
    library.execute("drop table library")
    with library.transaction():
        library.execute("set transaction read only")
        assert said(library, "1") == []


def test_a_column_that_is_gone_is_an_error_and_no_variable(library: psycopg.Connection) -> None:
    library.execute("alter table library add weight real default 2")
    add(library, query="select user_id, film_id as id, weight from public.library")
    assert [row["weight"] for row in said(library, "2")] == [2]
    library.execute("alter table library drop weight")
    assert said(library, "2") == []
    assert "column" in findings(library)[0]


def test_signals_follow_renames_of_the_key_retrack_and_untrack(library: psycopg.Connection) -> None:
    add(library)
    library.execute("alter table film rename id to film_id; select evervec.tick()")
    assert [row["row_key"] for row in said(library, "2")] == [{"film_id": 2}]

    library.execute("select evervec.retrack('film')")
    assert [row["row_key"] for row in said(library, "2")] == [{"film_id": 2}]

    library.execute("alter table library rename to shelf; select evervec.retrack('film')")
    assert said(library, "2") == []
    assert "does not exist" in findings(library)[0]

    library.execute("select evervec.untrack('film')")
    left = "select count(*) from pg_proc where proname like 'signal_film%%'"
    assert value(library, left) == 0
    assert value(library, "select count(*) from evervec.signal") == 0


def test_drop_signal_takes_all_back(library: psycopg.Connection) -> None:
    add(library)
    library.execute("select evervec.drop_signal('film', 'library')")
    assert value(library, "select to_regproc('evervec.signal_film_library')") is None
    with raises(library, "VE506", "has no signal") as caught:
        library.execute("select evervec.drop_signal('film', 'library')")
    assert caught.value.diag.message_detail == "It has none."
    add(library)


def test_a_key_of_several_columns_and_one_that_is_named_like_a_value(
    library: psycopg.Connection,
) -> None:
    library.execute(
        """
        create table sighting (at date, place text, note text, primary key (at, place));
        select evervec.track('sighting', p_columns => '{note}', p_model => 'toy');
        create table fan (who uuid, at date, place text);
        insert into fan values ('6f1e0d9c-0000-4000-8000-000000000001', '2026-02-01', 'Roswell');
        """
    )
    library.execute(
        "select evervec.add_signal('sighting', 'fan', %s)",
        ["select who as user_id, at, place from public.fan"],
    )
    [row] = rows(library, "select * from evervec.signal_sighting_fan(null)")
    assert row["row_key"] == {"at": "2026-02-01", "place": "Roswell"}
    assert row["at"] is None
    assert rows(library, "select * from evervec.signal_sighting_fan(%s)", row["user_id"]) == [row]
