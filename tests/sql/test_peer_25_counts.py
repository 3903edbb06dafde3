"""What is still to be done is counted, however much it is; a number that is none says so."""

from __future__ import annotations

import psycopg
import pytest

from tests.support.sql_worker import claim, drain, rows, value

MANY = 12_345


@pytest.fixture
def many(film: psycopg.Connection) -> psycopg.Connection:
    """Nothing is left of ten films, and then 12,345 more are inserted."""
    drain(film)
    film.execute("insert into film select g, 'F' || g, 1 from generate_series(11, 12355) g")
    return film


def counts(conn: psycopg.Connection) -> dict[str, int]:
    """The exact numbers of the view status."""
    (row,) = rows(conn, "select pending, processing, retrying, dead from evervec.status")
    return row


def fold_all(conn: psycopg.Connection) -> None:
    while value(conn, "select evervec.fold()"):
        pass


def test_peer_25_changes_and_jobs_beyond_ten_thousand_are_counted(
    many: psycopg.Connection,
) -> None:
    (logged,) = rows(many, "select log, queued from evervec.pending('film')")
    assert (logged, counts(many)["pending"]) == ({"log": MANY, "queued": 0}, MANY)

    value(many, "select evervec.fold(1000)")
    (halfway,) = rows(many, "select log, queued from evervec.pending()")
    assert 0 < halfway["log"] < MANY
    assert halfway["log"] + halfway["queued"] == counts(many)["pending"] == MANY

    fold_all(many)
    (queued,) = rows(many, "select log, queued from evervec.pending('film')")
    assert (queued, counts(many)["pending"]) == ({"log": 0, "queued": MANY}, MANY)


def test_peer_25_each_state_of_many_jobs_is_counted(many: psycopg.Connection) -> None:
    fold_all(many)
    jobs = claim(many, 11_500)
    failed = [job["job_id"] for job in jobs]
    for error_class, ids in (("timeout", failed[:300]), ("bad_input", failed[300:10_900])):
        many.execute(
            "select evervec.fail_jobs(%s, %s, %s, 'no')", [jobs[0]["lease_token"], ids, error_class]
        )

    assert counts(many) == {"pending": 845, "processing": 600, "retrying": 300, "dead": 10_600}
    (left,) = rows(many, "select * from evervec.pending('film')")
    assert left == {"log": 0, "queued": 845, "processing": 600, "retrying": 300, "backfill": 0}
    (letters,) = rows(many, "select * from evervec.dead_letter_statistics('film')")
    assert letters["open"] == 10_600


def test_peer_25_coverage_counts_beyond_ten_thousand(many: psycopg.Connection) -> None:
    (told,) = rows(many, "select total, embedded, missing from evervec.coverage('film')")

    assert told == {"total": MANY + 10, "embedded": 10, "missing": MANY}


@pytest.mark.parametrize(
    ("comment", "number"),
    [
        (
            "obj_description('evervec.status'::regclass)",
            "vectors, archived: the planner's estimates",
        ),
        ("obj_description('evervec.pending'::regproc)", "backfill: estimate"),
        ("obj_description('evervec.backfill'::regproc)", "the planner's estimate"),
    ],
)
def test_peer_25_a_number_that_is_an_estimate_says_so(
    conn: psycopg.Connection, comment: str, number: str
) -> None:
    assert number in value(conn, f"select {comment}")
