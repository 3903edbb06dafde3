"""Queues whose interface is SQL: claim a batch, do nothing, complete it.

evervec URL BATCH SESSIONS | unchanged URL BATCH SESSIONS | pgmq URL BATCH SESSIONS
"""

from __future__ import annotations

import sys
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import psycopg
from pgvector.psycopg import register_vector

from bench.peers import handshake

# What pgmq.read and pgmq.delete run, without their overhead (PL/pgSQL, dynamic SQL).
_READ = """
    with chosen as (
        select msg_id from pgmq.q_bench
         where vt <= clock_timestamp()
         order by msg_id
         limit %s
           for update skip locked
    )
    update pgmq.q_bench m
       set vt = clock_timestamp() + interval '5 minutes', read_ct = read_ct + 1
      from chosen c
     where m.msg_id = c.msg_id
    returning m.msg_id, m.read_ct, m.enqueued_at, m.vt, m.message::text, m.headers
"""
_DELETE = "delete from pgmq.q_bench where msg_id = any(%s) returning msg_id"

_CLAIM = """
    select job_id, lease_token, state, content, content_hash
      from evervec.claim_jobs(%s)
"""
_COMPLETE = "select job_id, outcome from evervec.complete_jobs(%s, %s::bigint[], %b)"
_LEFT = """
    select exists (select from evervec.change_log) or exists (select from evervec.processing_queue)
"""


def pgmq(conn: psycopg.Connection, batch: int) -> int:
    """Read, delete; how many."""
    rows = conn.execute(_READ, [batch]).fetchall()
    if not rows:
        return 0
    return len(conn.execute(_DELETE, [[row[0] for row in rows]]).fetchall())


def evervec(conn: psycopg.Connection, batch: int) -> int:
    """Claim, complete with vectors of one dimension; how many."""
    rows = conn.execute(_CLAIM, [batch]).fetchall()
    due = [row[0] for row in rows if row[2] == "embed"]
    if not rows:
        return 0
    found = conn.execute(_COMPLETE, [rows[0][1], due, [VECTOR] * len(due)]).fetchall()
    if any(outcome != "completed" for _, outcome in found):
        raise RuntimeError(f"a job that could not be completed: {found}")
    return len(rows)


def unchanged(conn: psycopg.Connection, batch: int) -> int:
    """Claim, which settles what needs no vector; how many."""
    rows = conn.execute(_CLAIM, [batch]).fetchall()
    if any(row[2] != "unchanged" for row in rows):
        raise RuntimeError(f"a text that is not unchanged: {rows}")
    return len(rows)


VECTOR = np.ones(1, dtype=np.float32)
STEPS = {"pgmq": pgmq, "evervec": evervec, "unchanged": unchanged}


def main() -> None:
    """Drain."""
    name, url, batch, sessions = sys.argv[1:]
    connections = [psycopg.connect(url, autocommit=True) for _ in range(int(sessions))]
    for conn in connections:
        register_vector(conn)
    began = handshake.wait()
    with ThreadPoolExecutor(len(connections)) as threads:
        jobs = sum(threads.map(lambda conn: drain(conn, name, int(batch)), connections))
    handshake.report(began, jobs)
    for conn in connections:
        conn.close()


def drain(conn: psycopg.Connection, name: str, batch: int) -> int:
    """In one session, until nothing is left; how many."""
    jobs = 0
    while True:
        done = STEPS[name](conn, batch)
        jobs += done
        if done:
            continue
        row = conn.execute(_LEFT).fetchone()
        if name == "pgmq" or row == (False,):
            return jobs
        time.sleep(0.005)  # another session folds, or completes the last ones


if __name__ == "__main__":
    main()
