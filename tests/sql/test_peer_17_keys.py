"""PEERS.md 17: any primary key, under any settings, and columns that bear our own names."""

from __future__ import annotations

import psycopg
import pytest
from psycopg.types.json import Jsonb

from tests.support.sql_worker import add_toy_model, drain, rows, value

KEYS = {
    "uuid": ("id uuid", ["gen_random_uuid()", "gen_random_uuid()"]),
    "text": ("id text", ["'a'", "'it''s \"q\" \\ {x} %s'"]),
    "varchar with a limit": ("id varchar(5)", ["'abcde'", "'x'"]),
    "char": ("id char(4)", ["'ab'", "'abcd'"]),
    "smallint": ("id smallint", ["1", "-5"]),
    "bigint": ("id bigint", ["9007199254740993", "-1"]),
    "numeric": ("id numeric", ["1.50", "-12345.678900"]),
    "boolean": ("id boolean", ["true", "false"]),
    "date": ("id date", ["'2024-02-29'", "'1999-12-31'"]),
    "timestamptz": ("id timestamptz", ["'2024-03-31 01:30:00.123456+01'", "'epoch'"]),
    "timestamp": ("id timestamp", ["'2024-03-31 02:30:00'", "'infinity'"]),
    "interval": ("id interval", ["'1 mon 2 days 03:04:05'", "'-1 hour'"]),
    "double precision": ("id float8", ["0.1", "'1e-300'"]),
    "bytea": ("id bytea", ["'\\x00ff'", "'\\xdeadbeef'"]),
    "array": ("id int[]", ["'{1,2}'", "'{}'"]),
    "text array": ("id text[]", ["array['a,b','\"']", "array[null,'NULL']"]),
    "range": ("id int4range", ["'[1,5)'", "'(,9]'"]),
    "tstzrange": ("id tstzrange", ["'[2024-01-01, 2024-02-01)'", "'empty'"]),
    "inet": ("id inet", ["'10.0.0.1'", "'::1/64'"]),
    "domain": ("id code", ["'AB'", "'CD'"]),
    "enum": ("id mood", ["'sad'", "'happy'"]),
    "citext": ("id citext", ["'Ab'", "'cd'"]),
    "composite type": ("id pair", ["row(1,'a b')", "row(2,'c,d')"]),
    "camelCase": ('"gameId" int', ["1", "2"]),
    "a reserved word": ('"select" int', ["1", "2"]),
    "quotes in the name": ('"a""b\'c %s" int', ["1", "2"]),
    "named embedding": ("embedding int", ["1", "2"]),
    "named row_key": ("row_key int", ["1", "2"]),
    "named job_id": ("job_id int", ["1", "2"]),
    "named distance": ("distance int", ["1", "2"]),
    "named like our aliases": ("s int", ["1", "2"]),
    "named key": ("k int", ["1", "2"]),
}
COMPOSITE = {
    "two columns": ("a int, b text", "b, a", ["1, 'x'", "2, 'y'"]),
    "three, out of order": (
        "a date, b uuid, c int",
        "c, a, b",
        ["'2024-01-01', gen_random_uuid(), 7"],
    ),
    "our names": (
        "content_hash int, model_id int, updated_at int",
        "model_id, updated_at, content_hash",
        ["1, 2, 3"],
    ),
}
TYPES = """
    create domain upper_code as text check (value = upper(value));
    create domain code as upper_code check (length(value) = 2);
    create type mood as enum ('sad', 'happy');
    create type pair as (n int, t text);
"""


@pytest.fixture
def types(conn: psycopg.Connection, superuser_conn: psycopg.Connection) -> psycopg.Connection:
    superuser_conn.execute("create extension citext")
    conn.execute(TYPES)
    add_toy_model(conn)
    return conn


def lives(conn: psycopg.Connection, columns: str, key: str, values: list[str]) -> None:
    """Insert, embed, search, change, move and delete rows of a table with that key."""
    conn.execute(f"create table thing ({columns}, label text, primary key ({key}))")
    conn.execute("select evervec.track('thing', '{label}', p_model => 'toy')")
    for number, row in enumerate(values):
        conn.execute(f"insert into thing values ({row}, 'thing {number}')")
    drain(conn)

    coverage = rows(conn, "select * from evervec.coverage('thing')")[0]
    assert (coverage["total"], coverage["embedded"]) == (len(values), len(values))

    keys = [r["row_key"] for r in rows(conn, "select * from evervec.slice_thing(null, null, true)")]
    found = value(
        conn,
        "select array_agg(row_key) from evervec.find_similar('thing', '[1,1,1,1]')",
    )
    assert sorted(map(str, found)) == sorted(map(str, keys))
    for row_key in keys:
        similar = rows(
            conn,
            "select * from evervec.find_similar_to('thing', %s::jsonb)",
            Jsonb(row_key),
        )
        assert len(similar) == len(values) - 1
    # A pass goes over the rows in key order, from any of them on.
    for position, row_key in enumerate(keys):
        rest = rows(
            conn,
            "select * from evervec.slice_thing(%s::jsonb, null, false)",
            Jsonb(row_key),
        )
        assert [r["row_key"] for r in rest] == keys[position + 1 :]

    # The same key under the settings of any session.
    conn.execute(
        """
        set timezone = 'Asia/Kathmandu'; set datestyle = 'German';
        set intervalstyle = 'sql_standard';
        set extra_float_digits = -5; set bytea_output = 'escape';
        """
    )
    conn.execute("update thing set label = label || ' again'")
    assert drain(conn).states == {"embed": len(values)}
    assert value(conn, "select count(*) from thing_embedding") == len(values)
    conn.execute("delete from thing")
    assert value(conn, "select count(*) from thing_embedding") == 0
    assert drain(conn).states == {"gone": len(values)}


@pytest.mark.parametrize("kind", KEYS, ids=str)
def test_peer_17_a_key_of_any_type(types: psycopg.Connection, kind: str) -> None:
    column, values = KEYS[kind]
    name = column[: column.rindex('"') + 1] if column.startswith('"') else column.split()[0]
    lives(types, column, name, values)


@pytest.mark.parametrize("kind", COMPOSITE, ids=str)
def test_peer_17_a_composite_key(types: psycopg.Connection, kind: str) -> None:
    columns, key, values = COMPOSITE[kind]
    lives(types, columns, key, values)
