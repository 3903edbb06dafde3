"""What follows from a failed attempt: retries by class and source, and models that are paused."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import psycopg
import pytest

from tests.support.sql_worker import (
    Row,
    add_toy_model,
    claim,
    complete,
    drain,
    raises,
    rows,
    value,
)


def fail(
    conn: psycopg.Connection,
    jobs: list[Row],
    error_class: str,
    *,
    status: int | None = None,
    retry_after: str | None = None,
) -> list[Row]:
    """Report jobs of one lease as failed."""
    return rows(
        conn,
        "select * from evervec.fail_jobs(%s, %s, %s, 'no luck', %s, %s)",
        jobs[0]["lease_token"],
        [job["job_id"] for job in jobs],
        error_class,
        status,
        retry_after,
    )


def model(conn: psycopg.Connection, name: str = "toy") -> Row:
    return rows(conn, "select * from evervec.model where name = %s", name)[0]


def make_due(conn: psycopg.Connection) -> None:
    conn.execute("update evervec.processing_queue set available_at = now() - interval '1 day'")
    conn.execute("update evervec.model set paused_until = now() where isfinite(paused_until)")


def leave_one_job(conn: psycopg.Connection) -> None:
    """The queue with a single job, and nothing under way that makes others."""
    conn.execute("select evervec.feed(1000, evervec.active_sources())")
    conn.execute("update evervec.source set pass_kind = null, pass_stage = null")
    conn.execute("delete from evervec.processing_queue where row_key <> '{\"id\": 1}'")


def fail_until_dead(conn: psycopg.Connection, error_class: str, most: int = 30) -> int:
    """How many attempts one job has in a class; `most` when it never gives up."""
    leave_one_job(conn)
    for attempt in range(1, most + 1):
        if fail(conn, claim(conn, 1), error_class)[0]["outcome"] == "dead":
            return attempt
        make_due(conn)
    return most


@pytest.mark.parametrize(
    ("error_class", "attempts"),
    [
        ("timeout", 3),
        ("network", 3),
        ("server_error", 3),
        ("rate_limit", 5),
        ("auth", 30),
        ("quota", 30),
        ("bad_input", 1),
        ("not_found", 3),
        ("invalid_response", 3),
        ("render", 3),
        ("database", 30),
    ],
)
def test_peer_19_every_class_of_error_has_its_number_of_attempts(
    film: psycopg.Connection, error_class: str, attempts: int
) -> None:
    assert fail_until_dead(film, error_class) == attempts


def test_peer_19_the_wait_doubles_with_jitter_up_to_the_limit(film: psycopg.Connection) -> None:
    waits = [
        value(
            film,
            "select evervec.retry_delay(evervec.policy_of(null, 'timeout'), %s)",
            attempt,
        ).total_seconds()
        for attempt in (1, 2, 3, 6, 7, 1000)
    ]

    bases = [1, 2, 4, 32, 60, 60]
    assert [base <= wait <= 1.3 * base for base, wait in zip(bases, waits, strict=True)] == [
        True
    ] * len(bases)


def test_a_source_may_have_its_own_policy(film: psycopg.Connection) -> None:
    film.execute("create table other (id integer primary key, title text)")
    film.execute("insert into other values (1, 'Other')")
    film.execute("select evervec.track('other', '{title}', p_model => 'toy')")
    film.execute(
        "insert into evervec.retry_policy (source_id, error_class, max_attempts)"
        " select source_id, 'server_error', 1 from evervec.source where name = 'other'"
    )

    jobs = claim(film)
    outcomes = {row["job_id"]: row["outcome"] for row in fail(film, jobs, "server_error")}

    assert {(job["source"], outcomes[job["job_id"]]) for job in jobs} == {
        ("film", "retry"),
        ("other", "dead"),
    }


def test_a_policy_goes_with_its_source(film: psycopg.Connection) -> None:
    film.execute(
        "insert into evervec.retry_policy (source_id, error_class)"
        " select source_id, 'timeout' from evervec.source"
    )

    film.execute("select evervec.untrack('film')")

    assert value(film, "select count(*) from evervec.retry_policy where source_id > 0") == 0


def test_a_class_needs_a_policy_for_all_sources(film: psycopg.Connection) -> None:
    film.execute(
        "insert into evervec.retry_policy (source_id, error_class)"
        " select source_id, 'sorrow' from evervec.source"
    )
    with raises(film, "VE301", 'error class "sorrow" is not known'):
        fail(film, claim(film, 1), "sorrow")


def test_every_attempt_is_kept_with_time_class_status_and_message(
    film: psycopg.Connection,
) -> None:
    leave_one_job(film)
    for status in (500, 502, 503):
        fail(film, claim(film, 1), "server_error", status=status)
        make_due(film)

    (letter,) = rows(film, "select * from evervec.dead_letter")

    assert [(f["class"], f["status"], f["message"]) for f in letter["failures"]] == [
        ("server_error", status, "no luck") for status in (500, 502, 503)
    ]
    assert [f["at"] for f in letter["failures"]] == sorted(f["at"] for f in letter["failures"])
    assert letter["attempts"] == 3
    assert letter["first_failed_at"] < letter["last_failed_at"]


def test_of_a_long_history_the_first_and_the_last_are_kept(film: psycopg.Connection) -> None:
    fail_until_dead(film, "database", most=30)

    failures = value(film, "select failures from evervec.processing_queue")

    assert len(failures) == 20
    first_gap = value(
        film,
        "select %s::timestamptz - %s::timestamptz",
        failures[1]["at"],
        failures[0]["at"],
    )
    gap = value(
        film, "select %s::timestamptz - %s::timestamptz", failures[2]["at"], failures[1]["at"]
    )
    assert first_gap > gap


def test_peer_23_a_wrong_key_pauses_its_model_and_buries_nothing(film: psycopg.Connection) -> None:
    add_toy_model(film, "other_toy")
    film.execute("create table other (id integer primary key, title text)")
    film.execute("insert into other values (1, 'Other')")
    film.execute("select evervec.track('other', '{title}', p_model => 'other_toy')")
    jobs = [job for job in claim(film) if job["source"] == "film"]

    outcomes = fail(film, jobs, "auth", status=401)
    film.execute("update other set title = 'Again'")

    assert {row["outcome"] for row in outcomes} == {"retry"}
    assert value(film, "select max(attempts) from evervec.processing_queue") == 0
    assert value(film, "select count(*) from evervec.dead_letter") == 0
    assert model(film)["pause_class"] == "auth"
    film.execute("update evervec.processing_queue set available_at = now() - interval '1 day'")
    assert {job["source"] for job in claim(film)} <= {"other"}


@pytest.mark.parametrize(
    ("asked", "seconds"), [("7 seconds", 7), ("10 minutes", 600), ("50 years", 86400)]
)
def test_peer_20_a_rate_limit_holds_back_all_sources_of_the_model_as_long_as_it_says(
    film: psycopg.Connection, asked: str, seconds: int
) -> None:
    film.execute("select evervec.track('film', '{year}', p_model => 'toy', p_name => 'years')")
    jobs = claim(film, 5)

    outcome = fail(film, jobs, "rate_limit", status=429, retry_after=asked)[0]

    wait = value(film, "select %s - clock_timestamp()", model(film)["paused_until"])
    assert timedelta(seconds=seconds - 5) < wait <= timedelta(seconds=seconds)
    assert outcome["available_at"] <= model(film)["paused_until"] + timedelta(seconds=1)
    assert claim(film) == []


def test_peer_20_without_retry_after_a_rate_limit_lasts_a_minute(
    film: psycopg.Connection,
) -> None:
    fail(film, claim(film, 5), "rate_limit", status=429)

    wait = value(film, "select %s - clock_timestamp()", model(film)["paused_until"])
    assert timedelta(seconds=55) < wait <= timedelta(seconds=78)


def test_a_pause_is_never_made_shorter(film: psycopg.Connection) -> None:
    first, second = claim(film, 5), claim(film, 5)
    fail(film, first, "rate_limit", retry_after="1 hour")
    until = model(film)["paused_until"]

    fail(film, second, "auth", retry_after="1 second")

    assert (model(film)["paused_until"], model(film)["pause_class"]) == (until, "rate_limit")


def test_pauses_that_follow_each_other_are_one(film: psycopg.Connection) -> None:
    fail(film, claim(film, 5), "auth")
    since = model(film)["paused_at"]
    make_due(film)

    fail(film, claim(film, 5), "auth")

    assert model(film)["paused_at"] == since


@pytest.mark.parametrize(("error_class", "freed"), [("auth", True), ("rate_limit", False)])
def test_what_is_in_flight_ends_a_pause_by_a_key_but_not_a_rate_limit(
    film: psycopg.Connection, error_class: str, freed: bool
) -> None:
    in_flight, refused = claim(film, 5), claim(film, 5)
    fail(film, refused, error_class)

    assert complete(film, in_flight) == {"completed": 5}

    assert (model(film)["paused_until"] is None) is freed


def test_a_success_after_a_pause_forgets_it(film: psycopg.Connection) -> None:
    fail(film, claim(film, 5), "rate_limit")
    make_due(film)

    complete(film, claim(film))

    paused: dict[str, Any] = {k: v for k, v in model(film).items() if k.startswith("pause")}
    assert paused == dict.fromkeys(("paused_at", "paused_until", "pause_reason", "pause_class"))


def test_a_model_is_paused_and_resumed_by_hand(film: psycopg.Connection) -> None:
    in_flight = claim(film, 5)
    film.execute("select evervec.pause_model('toy', p_reason => 'moving house')")

    assert claim(film) == []
    assert complete(film, in_flight) == {"completed": 5}
    assert claim(film) == []

    assert value(film, "select evervec.resume_model('toy')") is True
    assert value(film, "select evervec.resume_model('toy')") is False
    assert len(drain(film).texts) == 5


def test_resuming_makes_what_the_error_put_off_due_at_once(film: psycopg.Connection) -> None:
    others, refused = claim(film, 5), claim(film, 5)
    fail(film, others, "server_error", retry_after="1 hour")
    fail(film, refused, "auth", retry_after="1 hour")

    film.execute("select evervec.resume_model('toy')")

    assert {job["job_id"] for job in claim(film)} == {job["job_id"] for job in refused}


@pytest.mark.parametrize("call", ["pause_model", "resume_model"])
def test_an_unknown_model_is_named(film: psycopg.Connection, call: str) -> None:
    with raises(film, "VE108", "nowhere"):
        film.execute(f"select evervec.{call}('nowhere')".encode())


def test_a_quota_may_go_straight_to_the_dead_letters(film: psycopg.Connection) -> None:
    film.execute(
        "update evervec.retry_policy set max_attempts = 1, costs_attempt = true,"
        " pauses_model = false where error_class = 'quota'"
    )

    assert {row["outcome"] for row in fail(film, claim(film, 5), "quota")} == {"dead"}
    assert model(film)["paused_until"] is None
    assert len(claim(film)) == 5


def test_peer_21_fresh_work_goes_before_retries(film: psycopg.Connection) -> None:
    drain(film)
    film.execute("update film set title = 'Changed' where id <= 5")
    fail(film, claim(film), "server_error")
    film.execute("update evervec.processing_queue set available_at = now() - interval '1 day'")
    film.execute("insert into film values (11, 'Fresh', 2001)")

    jobs = claim(film, 1)

    assert [job["row_key"] for job in jobs] == [{"id": 11}]
    assert len(claim(film)) == 5


def test_peer_21_fresh_work_goes_before_a_backfill(film: psycopg.Connection) -> None:
    assert len(claim(film, 1)) == 1
    assert value(film, "select count(*) from evervec.processing_queue") == 10
    film.execute("insert into film values (11, 'Fresh', 2001)")

    assert [job["row_key"] for job in claim(film, 1)] == [{"id": 11}]


def test_a_retry_steps_back_to_the_last_priority_at_most(film: psycopg.Connection) -> None:
    film.execute("update evervec.retry_policy set max_attempts = 30")

    fail_until_dead(film, "timeout", most=12)

    assert value(film, "select priority from evervec.processing_queue") == 10
