"""Jobs that gave up: listed, counted, tried anew, settled, and in the end forgotten."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from tests.support.in_step import assert_in_step
from tests.support.sql_worker import claim, complete, drain, raises, rows, value


def bury(conn: psycopg.Connection, error_class: str = "bad_input", limit: int = 100) -> list[int]:
    """Whatever is claimed next gives up; the letters of the rows, by age."""
    conn.execute("update evervec.retry_policy set max_attempts = 1, costs_attempt = true")
    jobs = claim(conn, limit)
    conn.execute(
        "select evervec.fail_jobs(%s, %s, %s, 'no luck', 400)",
        [jobs[0]["lease_token"], [job["job_id"] for job in jobs], error_class],
    )
    conn.execute("select evervec.resume_model('toy')")
    return [
        row["dead_letter_id"]
        for row in rows(
            conn,
            "select dead_letter_id from evervec.dead_letter where job_id = any(%s) order by 1",
            [job["job_id"] for job in jobs],
        )
    ]


def change(conn: psycopg.Connection, *ids: int) -> None:
    conn.execute("update film set title = title || '!' where id = any(%s)", [list(ids)])


def listed(conn: psycopg.Connection, arguments: str = "") -> list[dict[str, Any]]:
    return rows(conn, f"select * from evervec.dead_letters({arguments})")


@pytest.fixture
def idle(film: psycopg.Connection) -> psycopg.Connection:
    """Ten films that are all embedded."""
    drain(film)
    return film


def test_a_letter_says_what_why_and_when(idle: psycopg.Connection) -> None:
    (job_id,) = rows(
        idle,
        "select * from evervec.enqueue('film', array['{\"id\": 3}']::jsonb[],"
        ' p_metadata => \'{"request": "a1"}\')',
    )[0].values()
    change(idle, 3)
    bury(idle)

    (letter,) = listed(idle)

    assert letter["job_id"] == job_id
    assert (letter["source"], letter["task_type"], letter["row_key"]) == (
        "film",
        "embed",
        {"id": 3},
    )
    assert (letter["error_class"], letter["status_code"]) == ("bad_input", 400)
    assert (letter["message"], letter["attempts"]) == ("no luck", 1)
    assert [f["class"] for f in letter["failures"]] == ["bad_input"]
    assert letter["metadata"]["request"] == "a1"
    assert letter["queued_at"] < letter["first_failed_at"] <= letter["last_failed_at"]
    assert letter["resolved_at"] is letter["resolved_by"] is letter["note"] is None


def test_letters_are_listed_by_source_class_and_state_newest_first(
    idle: psycopg.Connection,
) -> None:
    idle.execute("select evervec.track('film', '{year}', p_model => 'toy', p_name => 'years')")
    drain(idle)
    change(idle, 1)
    (first,) = bury(idle, "bad_input")
    change(idle, 2)
    (second,) = bury(idle, "timeout")
    idle.execute("update film set year = 1900 where id = 3")
    (third,) = bury(idle, "timeout")
    idle.execute("select evervec.resolve_dead_letter(%s)", [first])

    def ids(arguments: str) -> list[int]:
        return [row["dead_letter_id"] for row in listed(idle, arguments)]

    assert ids("") == [third, second]
    assert ids("'film'") == [second]
    assert ids("p_class => 'bad_input'") == []
    assert ids("p_resolved => true") == [first]
    assert ids("p_resolved => null") == [third, second, first]
    assert ids("p_resolved => null, p_limit => 1") == [third]
    assert ids("p_limit => 0") == []
    assert ids("p_limit => null") == [third, second]


def test_statistics_count_what_is_open(idle: psycopg.Connection) -> None:
    change(idle, *range(1, 6))
    first, *_ = bury(idle, "bad_input")
    change(idle, *range(6, 11))
    bury(idle, "timeout")
    idle.execute("insert into film select g, 'Film ' || g, 2000 from generate_series(11, 15) g")
    bury(idle, "timeout")
    idle.execute("select evervec.resolve_dead_letter(%s)", [first])

    (told,) = rows(idle, "select * from evervec.dead_letter_statistics('film')")

    assert (told["open"], told["resolved"]) == (14, 1)
    assert told["by_class"] == {"bad_input": 4, "timeout": 10}
    recent = [letter["dead_letter_id"] for letter in told["recent"]]
    assert recent == sorted(recent, reverse=True)
    assert len(recent) == 10
    assert told["oldest"] == value(
        idle, "select min(first_failed_at) from evervec.dead_letter where resolved_at is null"
    )


def test_statistics_of_nothing(film: psycopg.Connection) -> None:
    assert rows(film, "select * from evervec.dead_letter_statistics()") == [
        {"open": 0, "resolved": 0, "by_class": {}, "recent": [], "oldest": None}
    ]


def test_a_retry_is_a_new_job_with_all_its_attempts(idle: psycopg.Connection) -> None:
    change(idle, 3)
    (letter_id,) = bury(idle)
    dead = listed(idle)[0]

    job_id = value(idle, "select evervec.retry_dead_letter(%s)", letter_id)

    (job,) = rows(idle, "select * from evervec.processing_queue")
    assert job["job_id"] == job_id != dead["job_id"]
    assert (job["attempts"], job["failures"], job["row_key"]) == (0, [], {"id": 3})
    assert job["metadata"]["origin"] == "dlq-retry"
    (letter,) = listed(idle, "p_resolved => true")
    assert (letter["resolved_by"], letter["note"]) == ("retry", f"retried as job {job_id}")
    drain(idle)
    assert_in_step(idle)


def test_a_retry_joins_the_job_that_the_row_has_meanwhile(idle: psycopg.Connection) -> None:
    change(idle, 3)
    (letter_id,) = bury(idle)
    change(idle, 3)
    (job,) = claim(idle)
    idle.execute("update evervec.processing_queue set attempts = 2")

    assert value(idle, "select evervec.retry_dead_letter(%s)", letter_id) == job["job_id"]

    assert value(idle, "select attempts from evervec.processing_queue") == 0
    assert complete(idle, [job]) == {"completed": 1}
    assert drain(idle).states == {"unchanged": 1}


def test_a_retry_by_the_job_that_gave_up(idle: psycopg.Connection) -> None:
    change(idle, 3)
    bury(idle)
    job_id = listed(idle)[0]["job_id"]

    retried = value(idle, "select evervec.retry_dead_letter_of_job(%s)", job_id)

    assert value(idle, "select state from evervec.job_status(%s)", retried) == "queued"
    with raises(idle, "VE304", f"job {job_id} has no open dead letter"):
        idle.execute("select evervec.retry_dead_letter_of_job(%s)", [job_id])


def test_a_task_that_gave_up_is_tried_anew(film: psycopg.Connection) -> None:
    drain(film)
    film.execute("select evervec.enqueue_task('user_model_update', '{\"user\": \"ann\"}')")
    claim(film)
    (letter,) = listed(film)

    job_id = value(film, "select evervec.retry_dead_letter(%s)", letter["dead_letter_id"])

    (job,) = rows(film, "select * from evervec.processing_queue")
    assert (job["job_id"], job["task_data"]) == (job_id, {"user": "ann"})


def test_many_are_tried_anew_by_source_and_class(idle: psycopg.Connection) -> None:
    change(idle, 1, 2, 3)
    bury(idle, "timeout")
    change(idle, 4)
    bury(idle, "bad_input")
    for _ in range(2):
        idle.execute("select evervec.enqueue_task('paint', format('{\"n\": %s}', random())::jsonb)")
    claim(idle)

    def retry(arguments: str) -> int:
        return int(value(idle, f"select evervec.retry_dead_letters({arguments})"))

    assert retry("'film', 'timeout'") == 3
    assert retry("'film', 'timeout'") == 0
    assert retry("") == 3
    assert retry("") == 0
    assert value(idle, "select count(distinct job_id) from evervec.processing_queue") == 6


def test_letters_of_one_row_become_one_job(idle: psycopg.Connection) -> None:
    for _ in range(3):
        change(idle, 1)
        bury(idle)

    assert value(idle, "select evervec.retry_dead_letters()") == 3

    assert value(idle, "select count(*) from evervec.processing_queue") == 1
    assert listed(idle) == []


def test_a_call_retries_ten_thousand_at_most(idle: psycopg.Connection) -> None:
    idle.execute("insert into film select g, 'F', 1 from generate_series(11, 10110) g")
    while claimed := bury(idle, limit=5000):
        if len(claimed) < 5000:
            break

    counts = [value(idle, "select evervec.retry_dead_letters('film')") for _ in range(3)]

    assert counts == [10_000, 100, 0]


def test_a_key_too_long_for_the_queue_stays_and_stops_nobody(film: psycopg.Connection) -> None:
    drain(film)
    film.execute("create table word (word text primary key)")
    film.execute("select evervec.track('word', '{word}', p_model => 'toy')")
    film.execute("insert into word values (repeat('x', 2400))")
    film.execute("select evervec.fold()")
    (letter,) = listed(film)

    with raises(film, "VE303", "too long for the queue"):
        film.execute("select evervec.retry_dead_letter(%s)", [letter["dead_letter_id"]])
    assert value(film, "select evervec.retry_dead_letters()") == 0
    assert len(listed(film, "'word'")) == 1


def test_a_key_that_is_none_any_more_stays(idle: psycopg.Connection) -> None:
    change(idle, 3)
    (letter_id,) = bury(idle)
    idle.execute("update evervec.dead_letter set row_key = '{\"number\": 3}'")

    with raises(idle, "VE202", "is not a key of source"):
        idle.execute("select evervec.retry_dead_letter(%s)", [letter_id])
    assert len(listed(idle)) == 1


def test_a_letter_of_a_source_that_is_gone_is_not_tried_anew(idle: psycopg.Connection) -> None:
    change(idle, 3)
    (letter_id,) = bury(idle)
    idle.execute("update evervec.dead_letter set source_id = -1")

    with raises(idle, "VE304", "is not tracked any more"):
        idle.execute("select evervec.retry_dead_letter(%s)", [letter_id])
    assert value(idle, "select evervec.retry_dead_letters()") == 0


def test_a_resolved_letter_says_by_whom_and_why(idle: psycopg.Connection) -> None:
    change(idle, 1, 2)
    first, second = bury(idle)

    idle.execute("select evervec.resolve_dead_letter(%s, 'ann', 'not to be searched')", [first])
    idle.execute("select evervec.resolve_dead_letter(%s)", [second])

    told = [(row["resolved_by"], row["note"]) for row in listed(idle, "p_resolved => true")]
    user = value(idle, "select current_user")
    assert told == [(user, None), ("ann", "not to be searched")]
    assert claim(idle) == []


@pytest.mark.parametrize("call", ["retry_dead_letter", "resolve_dead_letter"])
def test_a_letter_is_settled_once(idle: psycopg.Connection, call: str) -> None:
    change(idle, 1)
    (letter_id,) = bury(idle)
    idle.execute(f"select evervec.{call}(%s)".encode(), [letter_id])

    with raises(idle, "VE304", f"dead letter {letter_id} is resolved already"):
        idle.execute(f"select evervec.{call}(%s)".encode(), [letter_id])
    for unknown in (letter_id + 1, None):
        with raises(idle, "VE304", "does not exist"):
            idle.execute(f"select evervec.{call}(%s)".encode(), [unknown])


@pytest.mark.parametrize("call", ["dead_letters", "dead_letter_statistics", "retry_dead_letters"])
def test_an_unknown_source_is_named(film: psycopg.Connection, call: str) -> None:
    with raises(film, "VE101", "nowhere"):
        film.execute(f"select evervec.{call}('nowhere')".encode())


@pytest.mark.parametrize(
    ("mended", "outcome"),
    [
        ("update film set title = 'Good' where id = 1", "completed"),
        ("update film set title = null where id = 1", "empty"),
        ("delete from film where id = 1", "gone"),
    ],
)
def test_a_success_resolves_the_letters_of_its_row(
    idle: psycopg.Connection, mended: str, outcome: str
) -> None:
    change(idle, 1, 2)
    bury(idle)

    idle.execute(mended.encode())
    drain(idle)

    (letter,) = listed(idle, "p_resolved => true")
    assert (letter["row_key"], letter["resolved_by"]) == ({"id": 1}, "evervec")
    assert letter["note"].endswith(outcome)
    assert [row["row_key"] for row in listed(idle)] == [{"id": 2}]


def test_the_letters_of_a_source_are_resolved_with_it(idle: psycopg.Connection) -> None:
    change(idle, 1)
    bury(idle)

    idle.execute("select evervec.untrack('film')")

    assert listed(idle) == []
    assert listed(idle, "p_resolved => true")[0]["resolved_by"] == "untrack"


def test_letters_are_kept_as_long_as_the_settings_say(idle: psycopg.Connection) -> None:
    change(idle, *range(1, 5))
    fresh, old, settled, settled_long_ago = bury(idle)
    for letter_id in (settled, settled_long_ago):
        idle.execute("select evervec.resolve_dead_letter(%s)", [letter_id])
    idle.execute(
        "update evervec.dead_letter set last_failed_at = now() - interval '91 days'"
        " where dead_letter_id = %s",
        [old],
    )
    for letter_id, age in ((settled, "6 days"), (settled_long_ago, "8 days")):
        idle.execute(
            "update evervec.dead_letter set resolved_at = now() - %s::interval"
            " where dead_letter_id = %s",
            [age, letter_id],
        )

    idle.execute("select evervec.cleanup_expired()")

    kept = [row["dead_letter_id"] for row in listed(idle, "p_resolved => null")]
    assert kept == [settled, fresh]
    idle.execute("update evervec.setting set value = '\"1 day\"' where name ~ 'dead_letter_keep'")
    idle.execute("select evervec.cleanup_expired()")
    assert [row["dead_letter_id"] for row in listed(idle, "p_resolved => null")] == [fresh]


def test_beyond_their_number_resolved_and_old_letters_go_first(idle: psycopg.Connection) -> None:
    change(idle, *range(1, 7))
    letters = bury(idle)
    idle.execute("select evervec.resolve_dead_letter(%s)", [letters[4]])
    idle.execute("update evervec.setting set value = '3' where name = 'dead_letter_most'")

    cleaned = value(idle, "select evervec.forget_letters(2)")
    rest = value(idle, "select evervec.forget_letters(2)")

    assert (cleaned, rest) == (2, 1)
    kept = [row["dead_letter_id"] for row in listed(idle, "p_resolved => null")]
    assert kept == [letters[5], letters[3], letters[2]]
