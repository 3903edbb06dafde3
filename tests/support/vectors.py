"""Sources with seeded vectors, put in without a worker."""

from __future__ import annotations

import random

import psycopg

from tests.support.sql_worker import TOY_DIMENSIONS, add_toy_model, value

OPERATORS = {"cosine": "<=>", "l2": "<->", "inner_product": "<#>", "l1": "<+>"}

# What is stored in one page of ten keeps a small table from being read whole instead of its index.
SPARSE = "alter table {} set (fillfactor = 10)"


def vectors(count: int, seed: int = 1, dimensions: int = TOY_DIMENSIONS) -> list[str]:
    """Vectors in pgvector's text form, count of shape (dimensions,), the same for the same seed."""
    dice = random.Random(seed)  # noqa: S311
    return [
        "[" + ",".join(f"{dice.gauss(0, 1):.6f}" for _ in range(dimensions)) + "]"
        for _ in range(count)
    ]


def vector_source(
    conn: psycopg.Connection,
    count: int,
    *,
    key: str = "g",
    key_type: str = "integer",
    storage: str = "table",
    distance: str = "cosine",
    options: str = "p_return_columns => '{title,year}'",
    sparse: bool = False,
) -> str:
    """Track item(id, title, year, embedding) with count rows; the name of its vectors' table.

    key: SQL of the id of row g; options: further arguments of track.
    """
    add_toy_model(conn)
    conn.execute(f"create table item (id {key_type} primary key, title text, year integer)")
    conn.execute(
        f"insert into item select {key}, 'Item ' || g, 1900 + g % 100"
        f" from generate_series(1, {count}) g"
    )
    recipe = "" if storage == "manual" else "p_columns => '{title}', "
    conn.execute(
        f"select evervec.track('item', {recipe}p_model => 'toy', p_storage => '{storage}',"
        f" p_distance => '{distance}', p_backfill => false, {options})"
    )
    target = value(conn, "select target::text from evervec.source where name = 'item'")
    if sparse:
        conn.execute(SPARSE.format(target))
    conn.execute("create temporary table seeded (g integer, embedding public.vector)")
    with conn.cursor() as cursor, cursor.copy("copy seeded from stdin") as copy:
        for number, vector in enumerate(vectors(count), start=1):
            copy.write_row((number, vector))
    if storage == "column":
        conn.execute("set evervec.bypass = on")
        conn.execute(
            "update item set embedding = s.embedding from seeded s where title = 'Item ' || s.g"
        )
        conn.execute("reset evervec.bypass")
    else:
        conn.execute(
            f"insert into {target} (id, content_hash, model_id, embedding)"
            " select i.id, 'x', m.model_id, s.embedding"
            " from seeded s join item i on i.title = 'Item ' || s.g, evervec.model m"
            " where m.name = 'toy'"
        )
    conn.execute("drop table seeded")
    conn.execute(f"analyze {target}")
    return str(target)
