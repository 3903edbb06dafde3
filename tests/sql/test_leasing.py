"""Which jobs are leased, in which order, and at what cost."""

from __future__ import annotations

import json
from typing import Any

import psycopg
import pytest

from tests.support.sessions import sessions
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


def test_peer_23_the_backlog_of_a_paused_model_is_not_walked_over(
    film: psycopg.Connection, two: dict[str, int]
) -> None:
    queue(film, two["film"], "select n, 5, interval '1 h' from generate_series(1, 50000) n")
    queue(film, two["other"], "select n, 5, interval '1 s' from generate_series(1, 10000) n")
    film.execute("vacuum analyze evervec.processing_queue")

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
    assert [job["content"] for job in claim(film)] == ["Changed"]
