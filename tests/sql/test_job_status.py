"""What job_status answers in each state of a job's life."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from tests.support.sql_worker import claim, complete, drain, rows, value


def status(conn: psycopg.Connection, job_id: int) -> dict[str, Any]:
    (row,) = rows(conn, "select * from evervec.job_status(%s)", job_id)
    return row


@pytest.fixture
def idle(film: psycopg.Connection) -> psycopg.Connection:
    """Ten films that are all embedded."""
    drain(film)
    return film


@pytest.fixture
def job(idle: psycopg.Connection) -> int:
    """The job of a film whose title has changed."""
    idle.execute("update film set title = 'Changed' where id = 1")
    return int(
        value(idle, "select evervec.enqueue('film', array['{\"id\": 1}']::jsonb[], 'create')")
    )


def fail(conn: psycopg.Connection, error_class: str) -> None:
    (claimed,) = claim(conn)
    conn.execute(
        "select evervec.fail_jobs(%s, %s, %s, 'no luck')",
        [claimed["lease_token"], [claimed["job_id"]], error_class],
    )


def test_a_queued_job(idle: psycopg.Connection, job: int) -> None:
    told = status(idle, job)

    assert (told["state"], told["progress"], told["attempt"], told["max_attempts"]) == (
        "queued",
        0,
        0,
        3,
    )
    assert (told["task_type"], told["source"], told["row_key"]) == ("embed", "film", {"id": 1})
    assert told["metadata"]["operation"] == "create"
    assert told["queued_at"] == told["next_try_at"]
    assert told["started_at"] is told["ended_at"] is told["last_error"] is None


def test_a_job_that_is_worked_on(idle: psycopg.Connection, job: int) -> None:
    claim(idle)

    told = status(idle, job)

    assert (told["state"], told["attempt"], told["next_try_at"]) == ("processing", 1, None)
    assert told["started_at"] > told["queued_at"]


@pytest.mark.parametrize(
    ("error_class", "attempt", "most"), [("timeout", 1, 3), ("rate_limit", 1, 5), ("auth", 0, None)]
)
def test_a_job_that_will_be_tried_again(
    idle: psycopg.Connection, job: int, error_class: str, attempt: int, most: int | None
) -> None:
    fail(idle, error_class)

    told = status(idle, job)

    assert (told["state"], told["attempt"], told["max_attempts"]) == ("retrying", attempt, most)
    assert told["last_error"] == "no luck"
    assert told["next_try_at"] > told["started_at"]


def test_a_completed_job(idle: psycopg.Connection, job: int) -> None:
    complete(idle, claim(idle))

    told = status(idle, job)

    assert (told["state"], told["progress"], told["note"]) == ("completed", 1, None)
    assert told["queued_at"] < told["started_at"] <= told["ended_at"]


def test_a_job_that_needed_no_call(idle: psycopg.Connection, job: int) -> None:
    idle.execute("update film set title = 'Film 1' where id = 1")
    claim(idle)

    told = status(idle, job)

    assert told["state"] == "completed"
    assert told["note"].startswith("unchanged: ")


def test_a_job_of_a_row_without_text(idle: psycopg.Connection, job: int) -> None:
    idle.execute("update film set title = null where id = 1")
    claim(idle)

    told = status(idle, job)

    assert told["state"] == "completed"
    assert told["note"].startswith("empty: ")


def test_a_job_of_a_row_that_is_gone(idle: psycopg.Connection, job: int) -> None:
    idle.execute("delete from film where id = 1")
    claim(idle)

    assert status(idle, job)["state"] == "gone"


def test_a_dead_job(idle: psycopg.Connection, job: int) -> None:
    fail(idle, "bad_input")

    told = status(idle, job)

    assert (told["state"], told["attempt"], told["last_error"]) == ("dead", 1, "no luck")
    assert told["ended_at"] > told["queued_at"]


def test_a_job_whose_work_a_pass_took_over(idle: psycopg.Connection, job: int) -> None:
    idle.execute("select evervec.retrack('film', '{title,year}')")

    assert status(idle, job)["state"] == "superseded"


def test_a_job_of_a_source_that_is_not_tracked_any_more(idle: psycopg.Connection, job: int) -> None:
    idle.execute("select evervec.untrack('film')")

    assert (status(idle, job)["state"], status(idle, job)["source"]) == ("gone", None)


@pytest.mark.parametrize("job_id", [0, -1, 10**15, None])
def test_a_job_that_nobody_knows(film: psycopg.Connection, job_id: int | None) -> None:
    told = rows(film, "select * from evervec.job_status(%s::bigint)", job_id)

    assert [(row["job_id"], row["state"]) for row in told] == [(job_id, "unknown")]


def test_a_job_lives_on_while_its_row_changes(idle: psycopg.Connection, job: int) -> None:
    claimed = claim(idle)
    idle.execute("update film set title = 'Again' where id = 1")
    assert complete(idle, claimed) == {"superseded": 1}

    assert status(idle, job)["state"] == "queued"
