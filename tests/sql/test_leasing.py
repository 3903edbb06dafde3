"""Which jobs are leased, in which order, and at what cost."""

from __future__ import annotations

import json
import threading
from typing import Any

import psycopg
import pytest

from tests.support.sessions import in_thread, sessions
from tests.support.sql_worker import add_toy_model, claim, rows, value

LEASE = (
    "select job_id from evervec.lease_jobs("
    " array(select (d.job).job_id from evervec.due_jobs(%s, %s) d), null, '5 min',"
    " gen_random_uuid())"
)


@pytest.fixture
def two(film: psycopg.Connection) -> dict[str, int]:
    """The ids of two sources of different models, nothing of which is queued."""
    add_toy_model(film, "other_toy")
    film.execute("create table other (id integer primary key, title text)")
    film.execute("select evervec.track('other', '{title}', p_model => 'other_toy')")
    film.execute("update evervec.source set pass_kind = null, pass_stage = null")
    return {row["name"]: row["source_id"] for row in rows(film, "select * from evervec.source")}


def queue(conn: psycopg.Connection, source_id: int | None, jobs: str) -> None:
    """Jobs of a source; `jobs` gives n, priority and age."""
    conn.execute(
        "insert into evervec.processing_queue (source_id, row_key, priority, available_at)"
        " select %s, jsonb_build_object('id', n), priority, now() - age"
        f" from ({jobs}) j (n, priority, age)",
        [source_id],
    )


def test_jobs_of_several_sources_are_leased_by_priority_and_age(
    film: psycopg.Connection, two: dict[str, int]
) -> None:
    queue(film, two["film"], "values (1, 5, interval '4 s'), (2, 3, '1 s'), (3, 5, '2 s')")
    queue(film, two["other"], "values (4, 5, interval '3 s'), (5, 3, '2 s'), (6, 9, '1 day')")
    queue(film, None, "values (7, 5, interval '3.5 s'), (8, 9, '1 s'), (9, 1, '-1 s')")

    order = []
    for _ in range(9):
        for leased in rows(film, LEASE, 1, list(two.values())):
            job_id = leased["job_id"]
            order.append(
                value(
                    film,
                    "select (row_key ->> 'id')::int from evervec.processing_queue"
                    " where job_id = %s",
                    job_id,
                )
            )

    assert order == [5, 2, 1, 7, 4, 3, 6, 8]


def test_a_lease_has_as_many_jobs_as_it_may(film: psycopg.Connection, two: dict[str, int]) -> None:
    for source_id in two.values():
        queue(film, source_id, "select n, 5, interval '1 s' from generate_series(1, 30) n")

    counts = [len(rows(film, LEASE, 40, list(two.values()))) for _ in range(3)]

    assert counts == [40, 20, 0]


def test_what_is_not_handed_out_is_not_locked_and_the_next_worker_finds_it(
    film: psycopg.Connection, two: dict[str, int], url: str
) -> None:
    sources = [two["film"], *range(1000, 1019)]
    for source_id in sources:
        queue(film, source_id, "select n, 5, interval '1 s' * n from generate_series(1, 100) n")
    with sessions(url) as at:
        first, second = at.begin(), at.begin()
        leased = {row["job_id"] for row in rows(first, LEASE, 50, sources)}

        free = value(
            film,
            "select count(*) from (select from evervec.processing_queue for update skip locked) q",
        )
        others = {row["job_id"] for row in rows(second, LEASE, 50, sources)}

    assert (len(leased), free) == (50, 1950)
    assert len(others) == 50
    assert not leased & others


def test_a_lease_is_full_whatever_others_hold_before_it(
    film: psycopg.Connection, two: dict[str, int], url: str
) -> None:
    queue(film, two["film"], "select n, 5, interval '1 h' from generate_series(1, 90) n")
    queue(film, two["other"], "select n, 5, interval '1 s' from generate_series(1, 90) n")
    queue(film, two["film"], "select n, 6, interval '1 d' from generate_series(91, 100) n")
    with sessions(url) as at:
        other = at.begin()
        held = {row["job_id"] for row in rows(other, LEASE, 171, list(two.values()))}

        leased = rows(film, LEASE, 10, list(two.values()))
        late = rows(film, LEASE, 100, list(two.values()))

    assert len(held) == 171
    # The nine that are left of priority 5, and the first of priority 6.
    assert (len(leased), len(late)) == (10, 9)
    assert not held & {row["job_id"] for row in leased + late}


def test_jobs_that_move_meanwhile_are_handed_out_once(
    film: psycopg.Connection, two: dict[str, int], url: str
) -> None:
    """What was looked at without a lock may be elsewhere in the order when it is locked."""
    queue(film, two["film"], "select n, 5, interval '1 h' from generate_series(1, 200) n")
    done = threading.Event()
    with sessions(url) as at:
        mover = at.open()

        def move() -> None:
            while not done.is_set():
                mover.execute(
                    "update evervec.processing_queue set available_at = available_at + '1 s',"
                    " priority = 5 + (random() * 2)::int where job_id in ("
                    "  select job_id from evervec.processing_queue order by random() limit 20"
                    "  for update skip locked)"
                )

        moving = in_thread(move)
        try:
            for _ in range(200):
                ids = value(
                    film,
                    "select array_agg((d.job).job_id) from evervec.due_jobs(190, %s) d",
                    [two["film"]],
                )
                assert len(ids) == len(set(ids))
        finally:
            done.set()
        moving.result()


def test_peer_23_the_backlog_of_a_paused_model_is_not_walked_over(
    film: psycopg.Connection, two: dict[str, int]
) -> None:
    queue(film, two["film"], "select n, 5, interval '1 h' from generate_series(1, 50000) n")
    queue(film, two["other"], "select n, 5, interval '1 s' from generate_series(1, 10000) n")
    film.execute("vacuum analyze evervec.processing_queue")
    # The first call of a session reads the catalog, too.
    film.execute("select from evervec.due_jobs(1, %s)", [[two["other"]]])

    plan: list[dict[str, Any]] = value(
        film,
        "explain (analyze, buffers, format json) select * from evervec.due_jobs(1,"
        f" array[{two['other']}])",
    )

    read = plan[0]["Plan"]["Shared Hit Blocks"] + plan[0]["Plan"]["Shared Read Blocks"]
    assert read < 250, json.dumps(plan)


def test_peer_21_what_is_urgent_comes_first_within_a_claim(
    film: psycopg.Connection, two: dict[str, int]
) -> None:
    """A worker sends texts in this order, and another model's only when it is done with one's."""
    film.execute("insert into other select g, 'Other ' || g from generate_series(1, 3) g")
    film.execute("delete from evervec.change_log")
    queue(
        film,
        two["film"],
        "select n, case n when 7 then 2 else 5 end, interval '1 h' from generate_series(1, 9) n",
    )
    queue(
        film,
        two["other"],
        "select n, case n when 3 then 1 else 5 end, interval '1 s' from generate_series(1, 3) n",
    )

    claimed = [(job["source"], job["row_key"]["id"]) for job in claim(film)]

    assert claimed[:4] == [("other", 3), ("other", 1), ("other", 2), ("film", 7)]


def test_a_claim_that_cannot_fold_takes_what_there_is(
    film: psycopg.Connection, two: dict[str, int], url: str
) -> None:
    """Another claim, of rows that change meanwhile, may take its time: its recipe is slow."""
    queue(film, two["film"], "select 1, 5, interval '1 s'")
    film.execute("insert into other values (1, 'Other'); select evervec.fold()")
    with sessions(url) as at:
        other = at.begin()
        other.execute("select from evervec.due_jobs(100, %s)", [[two["other"]]])
        film.execute("update other set title = 'Changed'")

        assert {job["source"] for job in claim(film)} == {"film"}

        other.execute("rollback")
    assert [job["content"] for job in claim(film)] == ["Title: Changed"]
