"""evervec dlq, enqueue and job, as a person and as a machine use them."""

from __future__ import annotations

import json

import psycopg
import pytest

from evervec.db import Database
from tests.support.sql_worker import claim, drain, rows, value
from tests.webhook.conftest import Program


@pytest.fixture
def film(film: psycopg.Connection) -> psycopg.Connection:
    """Ten films, embedded."""
    drain(film)
    return film


def bury(conn: psycopg.Connection, *ids: int, error_class: str = "bad_input") -> None:
    """The films of these ids give up."""
    conn.execute("update evervec.retry_policy set max_attempts = 1, costs_attempt = true")
    conn.execute("update film set title = title || '!' where id = any(%s)", [list(ids)])
    jobs = claim(conn)
    conn.execute(
        "select evervec.fail_jobs(%s, %s, %s, %s, 400)",
        [
            jobs[0]["lease_token"],
            [job["job_id"] for job in jobs],
            error_class,
            "content \x1b[31m policy",
        ],
    )


def test_rows_are_queued_by_key(program: Program, film: psycopg.Connection) -> None:
    done = program.run("enqueue", "film", "3", '{"id": 1}', "--operation", "create")
    machine = program.run(
        *("enqueue", "film", "4", "--priority", "2", "--metadata", '{"request": "a1"}', "--json")
    )

    first, second = rows(film, "select * from evervec.processing_queue where priority = 1")
    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines() == [
        f"3 is queued as job {second['job_id']}.",
        f'{{"id": 1}} is queued as job {first["job_id"]}.',
    ]
    (job,) = rows(film, "select * from evervec.processing_queue where priority = 2")
    assert json.loads(machine.out) == {"source": "film", "jobs": [job["job_id"]]}
    assert (job["metadata"]["request"], job["metadata"]["triggered_by"]) == ("a1", "cli")


def test_what_is_missing_is_queued_as_one_job(program: Program, film: psycopg.Connection) -> None:
    film.execute("delete from film_embedding where id = 1")

    done = program.run("enqueue", "film", "--missing")

    job_id = value(film, "select job_id from evervec.processing_queue")
    assert done.out == f"Job {job_id} is queued. See how far it is with: evervec job {job_id}\n"
    assert drain(film).texts == ["Title: Film 1"]


def test_all_is_queued_only_when_it_is_meant(program: Program, film: psycopg.Connection) -> None:
    refused = program.run("enqueue", "film", "--all")
    assert (refused.code, refused.out) == (1, "")
    assert "would be dropped" in refused.err

    assert program.run("enqueue", "film", "--all", "--yes").code == 0
    assert len(drain(film).texts) == 10


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["film"], 2, "Give KEYs, or --missing, or --all."),
        (["film", "1", "--missing"], 2, "Give KEYs"),
        (["nowhere", "1"], 1, "VE101"),
        (["film", "x"], 1, "VE202"),
        (["film", "1", "--operation", "upsert"], 1, "VE302"),
        (["film", "1", "--priority", "11"], 1, "VE302"),
        (["film", "1", "--metadata", "[]"], 1, "VE302"),
        (["film", "1", "--metadata", "{"], 1, "json"),
    ],
)
def test_bad_requests_are_told(
    program: Program, film: psycopg.Connection, arguments: list[str], code: int, message: str
) -> None:
    done = program.run("enqueue", *arguments)

    assert done.code == code
    assert message in done.err
    assert "Traceback" not in done.err
    assert value(film, "select count(*) from evervec.processing_queue") == 0


def test_a_job_is_followed_to_its_end(program: Program, film: psycopg.Connection) -> None:
    film.execute("update film set title = 'Changed' where id = 3")
    (job_id,) = json.loads(program.run("enqueue", "film", "3", "--json").out)["jobs"]

    queued = program.run("job", str(job_id))
    drain(film)
    done = program.run("job", str(job_id), "--json")

    assert queued.code == 0
    assert [line.split() for line in queued.out.splitlines()[:2]] == [
        ["job", str(job_id)],
        ["state", "queued"],
    ]
    assert done.code == 0
    told = json.loads(done.out)
    assert (told["state"], told["row_key"], told["progress"]) == ("completed", '{"id": 3}', 1)


def test_a_dead_or_unknown_job_fails(program: Program, film: psycopg.Connection) -> None:
    bury(film, 3)
    job_id = value(film, "select job_id from evervec.dead_letter")

    dead = program.run("job", str(job_id))
    unknown = program.run("job", "999999")

    assert (dead.code, unknown.code) == (1, 1)
    assert "dead" in dead.out
    assert "content" in dead.out
    assert "\x1b" not in dead.out
    assert unknown.out.split() == ["job", "999999", "state", "unknown"]


def test_letters_are_listed(program: Program, film: psycopg.Connection) -> None:
    assert program.run("dlq", "list").out == "0 open, 0 resolved.\n"
    bury(film, 1, 2)
    bury(film, 3, error_class="timeout")

    done = program.run("dlq", "list", "film")
    machine = program.run("dlq", "list", "--class", "timeout", "--json")

    assert (done.code, done.err) == (0, "")
    assert [line.split()[2:4] for line in done.out.splitlines()[1:4]] == [
        ['{"id":', "3}"],
        ['{"id":', "2}"],
        ['{"id":', "1}"],
    ]
    assert done.out.splitlines()[-1] == "3 open (2 bad_input, 1 timeout), 0 resolved."
    assert "\x1b" not in done.out
    (letter,) = json.loads(machine.out)
    assert (letter["row_key"], letter["error_class"]) == ('{"id": 3}', "timeout")
    assert len(json.loads(program.run("dlq", "list", "-n", "1", "--json").out)) == 1
    assert json.loads(program.run("dlq", "list", "--resolved", "--json").out) == []


def test_a_letter_is_shown_with_its_attempts(program: Program, film: psycopg.Connection) -> None:
    bury(film, 3)
    letter_id = value(film, "select dead_letter_id from evervec.dead_letter")

    done = program.run("dlq", "show", str(letter_id))
    machine = program.run("dlq", "show", str(letter_id), "--json")

    assert done.code == 0
    for part in ('{"id": 3}', "bad_input", "400", "attempts"):
        assert part in done.out
    assert json.loads(machine.out)["failures"][0]["class"] == "bad_input"
    missing = program.run("dlq", "show", "999")
    assert (missing.code, missing.out) == (1, "")
    assert "dead letter 999 does not exist" in missing.err


def test_letters_are_tried_anew(program: Program, film: psycopg.Connection) -> None:
    bury(film, *range(1, 7))
    ids = [str(r["dead_letter_id"]) for r in rows(film, "select * from evervec.dead_letter")]

    by_id = program.run("dlq", "retry", *ids[:2])
    by_source = program.run("dlq", "retry", "film", "--class", "timeout")
    by_class = program.run("dlq", "retry", "--class", "bad_input", "--json")
    every = program.run("dlq", "retry", "--all")

    assert [line[: len(ids[0]) + 12] for line in by_id.out.splitlines()] == [
        f"Dead letter {i}" for i in ids[:2]
    ]
    assert by_source.out == "0 dead letters are queued.\n"
    assert json.loads(by_class.out) == {"retried": 4}
    assert every.out == "0 dead letters are queued.\n"
    assert value(film, "select count(*) from evervec.processing_queue") == 6
    again = program.run("dlq", "retry", ids[0])
    assert again.code == 1
    assert "VE304" in again.err


@pytest.mark.parametrize("arguments", [[], ["film", "other"], ["1", "film"], ["1", "--all"]])
def test_what_is_to_be_tried_anew_must_be_said(
    program: Program, film: psycopg.Connection, arguments: list[str]
) -> None:
    done = program.run("dlq", "retry", *arguments)

    assert done.code == 2
    assert "Give IDs, or one SOURCE" in done.err


def test_letters_are_settled(program: Program, film: psycopg.Connection, url: str) -> None:
    bury(film, 1, 2)
    ids = [str(r["dead_letter_id"]) for r in rows(film, "select * from evervec.dead_letter")]

    done = program.run("dlq", "resolve", ids[0], "--note", "not to be searched")
    machine = program.run("dlq", "resolve", ids[1], "--by", "ann", "--json")

    assert done.out == f"Dead letter {ids[0]} is resolved.\n"
    assert json.loads(machine.out) == {"resolved": [int(ids[1])]}
    with Database(url) as db:
        letters = db.dead_letters(resolved=True)
    user = value(film, "select current_user")
    assert [(letter.resolved_by, letter.note) for letter in letters] == [
        ("ann", None),
        (user, "not to be searched"),
    ]


def test_the_other_calls_about_jobs(film: psycopg.Connection, url: str) -> None:
    bury(film, 3)
    with Database(url) as db:
        (letter,) = db.dead_letters("film", "bad_input")
        assert letter.job_id is not None
        told = db.dead_letter_statistics("film")
        assert (told.open, told.by_class) == (1, {"bad_input": 1})
        retried = db.retry_dead_letter(letter.dead_letter_id)
        assert db.job_status(retried).metadata["origin"] == "dlq-retry"  # type: ignore[index]
        assert db.enqueue("film", []) == []
