"""Tasks: work that is more than one row, done by the workers in the database."""

from __future__ import annotations

import json
from typing import Any

import psycopg
import pytest

from tests.support.in_step import assert_in_step
from tests.support.sql_worker import (
    add_toy_model,
    claim,
    complete,
    drain,
    raises,
    rows,
    value,
)


def task(conn: psycopg.Connection, task_type: str, data: dict[str, Any], priority: int = 5) -> int:
    return int(
        value(
            conn,
            "select evervec.enqueue_task(%s, %s, %s)",
            task_type,
            json.dumps(data),
            priority,
        )
    )


def status(conn: psycopg.Connection, job_id: int) -> dict[str, Any]:
    return rows(conn, "select * from evervec.job_status(%s)", job_id)[0]


def look_again(conn: psycopg.Connection) -> None:
    """Tasks under way are looked at now, not in two seconds."""
    conn.execute("update evervec.processing_queue set available_at = now() where row_key is null")


def work(conn: psycopg.Connection) -> dict[int, str]:
    """Work until nothing is left; the states that tasks were reported with."""
    reported: dict[int, str] = {}
    for _ in range(100):
        jobs = claim(conn)
        reported |= {job["job_id"]: job["state"] for job in jobs if job["task_type"] != "embed"}
        complete(conn, jobs)
        look_again(conn)
        if not any(rows(conn, "select * from evervec.pending()")[0].values()):
            return reported
    raise AssertionError("never done")


@pytest.fixture
def idle(film: psycopg.Connection) -> psycopg.Connection:
    """Ten films that are all embedded."""
    drain(film)
    return film


def test_regenerate_makes_every_vector_anew_and_ends_when_it_has(
    idle: psycopg.Connection,
) -> None:
    before = value(idle, "select min(created_at) from film_embedding")
    job_id = task(idle, "regenerate", {"source": "film"})

    assert work(idle) == {job_id: "done"}

    assert value(idle, "select min(created_at) from film_embedding") > before
    assert_in_step(idle)
    assert status(idle, job_id)["state"] == "completed"


def test_the_progress_of_a_regeneration_is_told(idle: psycopg.Connection) -> None:
    idle.execute("insert into film select g, 'Film ' || g, 1990 from generate_series(11, 100) g")
    drain(idle)
    idle.execute("analyze film")
    job_id = task(idle, "regenerate", {"source": "film"}, 1)
    seen = [status(idle, job_id)]
    claim(idle, 1)
    while seen[-1]["state"] != "completed":
        look_again(idle)
        complete(idle, claim(idle, 10))
        seen.append(status(idle, job_id))

    progress = [row["progress"] for row in seen]
    assert progress == sorted(progress)
    assert (progress[0], progress[-1]) == (0, 1)
    assert len(set(progress)) > 5
    assert {row["state"] for row in seen} == {"queued", "processing", "completed"}


def test_a_regeneration_waits_while_the_vectors_are_locked(
    idle: psycopg.Connection, url: str
) -> None:
    job_id = task(idle, "regenerate", {"source": "film"})
    with psycopg.connect(url) as user:
        user.execute("select * from film_embedding")
        assert claim(idle) == []
    assert status(idle, job_id)["attempt"] == 0
    assert value(idle, "select count(*) from film_embedding") == 10

    look_again(idle)
    assert work(idle) == {job_id: "done"}


def test_a_batch_embeds_the_rows_that_it_names(idle: psycopg.Connection) -> None:
    idle.execute("delete from film_embedding where id <= 5")
    job_id = task(idle, "batch", {"source": "film", "row_keys": [{"id": 2}, {"id": 4}]}, 3)

    assert claim(idle) == []
    jobs = claim(idle)
    assert sorted(job["row_key"]["id"] for job in jobs) == [2, 4]
    assert status(idle, job_id)["progress"] == 0
    complete(idle, jobs[:1])
    assert status(idle, job_id)["progress"] == 0.5
    look_again(idle)
    assert claim(idle) == []
    complete(idle, jobs[1:])
    look_again(idle)

    assert [job["state"] for job in claim(idle)] == ["done"]
    assert status(idle, job_id)["state"] == "completed"


@pytest.mark.parametrize(
    ("which", "texts"), [("backfill", ["Film 1"]), ("reconcile", ["Film 1", "Film 2"])]
)
def test_a_batch_may_be_a_pass(idle: psycopg.Connection, which: str, texts: list[str]) -> None:
    idle.execute("delete from film_embedding where id = 1")
    idle.execute("update film_embedding set content_hash = '' where id = 2")
    job_id = task(idle, "batch", {"source": "film", "pass": which})

    assert work(idle) == {job_id: "done"}

    receipts = rows(idle, "select * from evervec.job_receipt where job_id > %s", job_id)
    assert len(receipts) == len(texts)
    assert value(idle, "select count(*) from film_embedding") == 10


def test_a_task_says_how_many_rows_gave_up(idle: psycopg.Connection) -> None:
    job_id = task(idle, "regenerate", {"source": "film"})
    claim(idle)
    jobs = claim(idle)
    idle.execute(
        "select evervec.fail_jobs(%s, %s, 'bad_input', 'poison')",
        [jobs[0]["lease_token"], [jobs[0]["job_id"]]],
    )
    complete(idle, jobs[1:])
    look_again(idle)
    claim(idle)

    assert status(idle, job_id)["note"] == "1 rows of its source gave up meanwhile"


def test_rows_that_change_all_the_time_do_not_keep_a_task_from_ending(
    idle: psycopg.Connection,
) -> None:
    job_id = task(idle, "regenerate", {"source": "film"})
    for version in range(20):
        idle.execute("update film set title = %s where id = 3", [f"Version {version}"])
        complete(idle, claim(idle))
        look_again(idle)

    assert status(idle, job_id)["state"] == "completed"


def test_the_same_task_is_not_queued_twice_before_it_begins(idle: psycopg.Connection) -> None:
    first = task(idle, "regenerate", {"source": "film"})
    assert task(idle, "regenerate", {"source": "film"}) == first
    assert task(idle, "batch", {"source": "film", "pass": "backfill"}) != first
    claim(idle)

    assert task(idle, "regenerate", {"source": "film"}) != first


def test_an_unknown_task_becomes_a_dead_letter_at_once(film: psycopg.Connection) -> None:
    drain(film)
    job_id = task(film, "paint", {"colour": "red"})

    (job,) = claim(film)

    assert (job["job_id"], job["state"], job["source"]) == (job_id, "failed", None)
    (letter,) = rows(film, "select * from evervec.dead_letter")
    assert (letter["error_class"], letter["task_data"]) == ("bad_input", {"colour": "red"})
    assert "paint" in letter["message"]
    assert len(letter["failures"]) == letter["attempts"] == 1


def test_a_user_model_is_updated(film: psycopg.Connection) -> None:
    drain(film)
    film.execute("select evervec.record_interaction('ann', 'film', '{\"id\": 3}', 'favorite')")

    asked = task(film, "user_model_update", {"user": "ann", "source": "film"})
    (job,) = claim(film)

    assert (job["job_id"], job["state"]) == (asked, "done")
    assert value(film, "select liked from evervec.user_preference") == [{"id": 3}]


def test_what_a_task_raises_hurts_that_task_only(film: psycopg.Connection) -> None:
    drain(film)
    film.execute("select evervec.record_interaction('ann', 'film', '{\"id\": 3}', 'favorite')")
    broken = task(film, "user_model_update", {"user": "ann", "source": "film"}, 1)
    film.execute("alter table evervec.user_preference add check (user_id <> 'ann')")
    film.execute("update film set title = 'Changed' where id = 1")

    jobs = {job["job_id"]: job["state"] for job in claim(film)}

    assert jobs.pop(broken) == "failed"
    assert list(jobs.values()) == ["embed"]
    told = status(film, broken)
    assert (told["state"], told["attempt"], told["max_attempts"]) == ("retrying", 1, 3)
    assert "violates check constraint" in told["last_error"]


def test_a_task_of_a_paused_source_waits(idle: psycopg.Connection) -> None:
    idle.execute("select evervec.pause('film')")
    task(idle, "regenerate", {"source": "film"})

    assert claim(idle) == []
    assert value(idle, "select count(*) from film_embedding") == 10


def test_a_task_of_no_source_is_done_by_any_worker(film: psycopg.Connection) -> None:
    add_toy_model(film, "other_toy")
    task(film, "paint", {})
    jobs = rows(film, "select * from evervec.claim_jobs(1, p_sources => '{nowhere}')")
    assert [job["state"] for job in jobs] == ["failed"]


@pytest.mark.parametrize(
    ("task_type", "data", "state", "message"),
    [
        ("embed", {}, "VE302", "is not a task"),
        (" ", {}, "VE302", "is not a task"),
        (None, {}, "VE302", "is not a task"),
        ("paint", [], "VE302", "p_task_data is not a JSON object"),
        ("regenerate", {}, "VE302", "is not a task"),
        ("regenerate", {"source": "nowhere"}, "VE101", "nowhere"),
        ("batch", {"source": "film"}, "VE302", "is not a task"),
        ("batch", {"source": "film", "pass": "over"}, "VE302", "is not a task"),
        ("batch", {"source": "film", "row_keys": [{"no": 1}]}, "VE202", "is not a key"),
        ("user_model_update", {"source": "film"}, "VE302", "is not a task"),
        ("user_model_update", {"user": "ann", "source": "nowhere"}, "VE101", "nowhere"),
    ],
)
def test_bad_tasks_are_refused(
    film: psycopg.Connection, task_type: str, data: Any, state: str, message: str
) -> None:
    with raises(film, state, message):
        film.execute("select evervec.enqueue_task(%s, %s)", [task_type, json.dumps(data)])


def test_a_priority_out_of_range_is_refused(film: psycopg.Connection) -> None:
    with raises(film, "VE302", "from 1 to 10"):
        task(film, "paint", {}, 0)
