"""Queues whose interface is SQL: claim a batch, do nothing, complete it.

evervec URL BATCH | unchanged URL BATCH | pgmq URL BATCH
"""

from __future__ import annotations

import sys
import time

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
    name, url, batch = sys.argv[1:]
    with psycopg.connect(url, autocommit=True) as conn:
        register_vector(conn)
        step = STEPS[name]
        began = handshake.wait()
        jobs = 0
        while True:
            done = step(conn, int(batch))
            jobs += done
            if done:
                continue
            row = conn.execute(_LEFT).fetchone()
            if step is pgmq or row == (False,):
                break
            time.sleep(0.005)  # another process folds, or completes the last ones
        handshake.report(began, jobs)


if __name__ == "__main__":
    main()
