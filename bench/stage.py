"""Brings a contender's table into the same state before every run: same rows, same free space."""

from __future__ import annotations

import psycopg
from psycopg import sql

from bench.contenders import PGAI, SUPABASE, Contender


def prepare(conn: psycopg.Connection, contender: Contender, rows: str) -> None:
    """Empty the table and its log, load the rows, leave free space for as many, checkpoint.

    conn is the superuser's, whose writes fire no trigger. rows: none, short, long or embedded. The
    tables of the log are truncated; the table under test has been updated whole and vacuumed,
    so that an UPDATE finds space as it does in a table that has lived for a while.
    """
    emptied = [table for table in (contender.table, contender.log, contender.vectors) if table]
    tables = sql.SQL(", ").join(emptied)
    conn.execute(sql.SQL("truncate {} restart identity").format(tables))
    if rows != "none":
        _load(conn, contender, rows)
        conn.execute(sql.SQL("update {} set views = 1").format(contender.table))
    conn.execute(sql.SQL("vacuum (analyze, truncate false) {}").format(tables))
    conn.execute("checkpoint")


def _load(conn: psycopg.Connection, contender: Contender, rows: str) -> None:
    table, vectors = contender.table, contender.vectors
    if rows == "long":
        text = "insert into {} (id, title, body) select id, 'A long one', body from bench.long"
        conn.execute(sql.SQL(text).format(table))
        return
    if rows == "embedded" and contender is SUPABASE:
        text = (
            "insert into {} (id, title, body, embedding)"
            " select s.id, s.title, s.body, v.embedding"
            " from bench.short s join bench.vector v using (id)"
        )
        conn.execute(sql.SQL(text).format(table))
        return
    text = "insert into {} (id, title, body) select id, title, body from bench.short"
    conn.execute(sql.SQL(text).format(table))
    if rows == "embedded" and contender is PGAI and vectors:
        text = (
            "insert into {} (id, chunk_seq, chunk, embedding)"
            " select s.id, 0, s.body, v.embedding from bench.short s join bench.vector v using (id)"
        )
        conn.execute(sql.SQL(text).format(vectors))
    elif rows == "embedded" and vectors:
        text = (
            "insert into {} (id, content_hash, model_id, embedding)"
            " select s.id, sha256(s.body::bytea), 1, v.embedding"
            " from bench.short s join bench.vector v using (id)"
        )
        conn.execute(sql.SQL(text).format(vectors))


def check(conn: psycopg.Connection, contender: Contender, rows: str) -> None:
    """After a DELETE of everything no vector may be left."""
    if rows != "embedded" or contender.vectors is None:
        return
    left = conn.execute(sql.SQL("select from {} limit 1").format(contender.vectors)).rowcount
    if left:
        raise RuntimeError(f"{contender.name} left vectors of deleted rows")
