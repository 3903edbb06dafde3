"""People, and rows whose vectors are directions in a plane: what is near is seen at a glance."""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from tests.support.sql_worker import Row, add_toy_model, rows

# Rows in the plane of the first two dimensions, by their angle in degrees. Each has its opposite,
# so that they have no direction in common.
HALF = [0, 5, 10, 15, 20, 30, 40, 60, 90, 100, 110, 120, 170]
ANGLES = HALF + [angle + 180 for angle in HALF]


def at(angle: float) -> str:
    return f"(select array[cosd({angle}), sind({angle}), 0, 0]::public.vector)"


def track_items(conn: psycopg.Connection) -> psycopg.Connection:
    """Track item(id, kind), with vectors of the application's own; the id of a row is its angle."""
    add_toy_model(conn)
    conn.execute(
        """
        create table item (id integer primary key, kind text not null);
        select evervec.track('item', p_model => 'toy', p_storage => 'manual');
        """
    )
    for angle in ANGLES:
        conn.execute("insert into item values (%s, %s)", [angle, "odd" if angle % 2 else "even"])
        conn.execute(f"select evervec.put_embedding('item', %s, {at(angle)})", [key(angle)])
    return conn


def key(row: int) -> Jsonb:
    return Jsonb({"id": row})


def does(conn: psycopg.Connection, user: str, kind: str, *ids: int) -> None:
    for row in ids:
        conn.execute(
            "select evervec.record_interaction(%s, 'item', %s, %s)", [user, key(row), kind]
        )


def learn(conn: psycopg.Connection, *users: str) -> None:
    for user in users:
        conn.execute("select evervec.update_user_embedding(%s, 'item')", [user])


def recommend(
    conn: psycopg.Connection, user: str = "ann", limit: int = 3, **more: Any
) -> list[Row]:
    given = "".join(f", p_{name} => %s" for name in more)
    return rows(
        conn,
        f"select * from evervec.recommend(%s, 'item', %s{given})",
        user,
        limit,
        *(Jsonb(each) if isinstance(each, dict) else each for each in more.values()),
    )


def ids(found: list[Row]) -> list[int]:
    return [row["row_key"]["id"] for row in found]
