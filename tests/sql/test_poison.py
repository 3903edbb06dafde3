"""Texts that kill their worker or are too long: isolated, given up, or noted."""

from __future__ import annotations

import hashlib

import psycopg
import pytest

from tests.support.sql_worker import (
    add_toy_model,
    claim,
    complete,
    drain,
    raises,
    rows,
    toy_vector,
    value,
)


def die(conn: psycopg.Connection) -> None:
    """Every lease runs out: the workers are gone."""
    conn.execute("update evervec.processing_queue set lease_expires_at = now() - interval '1 s'")


def crash_on(conn: psycopg.Connection, poison: int, most: int = 100) -> int:
    """Work as workers do whom one row kills; how many of them it killed until all was done."""
    killed = 0
    for _ in range(most):
        jobs = claim(conn)
        if any(job["row_key"] == {"id": poison} for job in jobs):
            killed += 1
            die(conn)
        else:
            complete(conn, jobs)
        if value(conn, "select count(*) from evervec.processing_queue") == 0:
            return killed
    raise AssertionError("never done")


def test_peer_16_a_row_that_kills_its_worker_is_given_up_alone(film: psycopg.Connection) -> None:
    assert crash_on(film, poison=5) == 5

    (letter,) = rows(film, "select * from evervec.dead_letter")
    assert letter["row_key"] == {"id": 5}
    assert letter["error_class"] == "timeout"
    assert [failure["class"] for failure in letter["failures"]] == ["timeout"] * 5
    assert value(film, "select count(*) from film_embedding") == 9


def test_peer_16_suspects_are_leased_one_by_one(film: psycopg.Connection) -> None:
    for _ in range(2):
        assert len(claim(film)) == 10
        die(film)

    sizes = [len(claim(film)) for _ in range(11)]

    assert sizes == [1] * 10 + [0]


def test_peer_16_a_suspect_ends_the_batch_before_it(film: psycopg.Connection) -> None:
    first = claim(film, 2)
    rows(
        film,
        "select evervec.release_jobs(%s, %s)",
        first[0]["lease_token"],
        [job["job_id"] for job in first],
    )
    film.execute("update evervec.processing_queue set expiries = 2 where row_key = '{\"id\": 4}'")

    batches = [[job["row_key"]["id"] for job in claim(film, 5)] for _ in range(4)]

    assert [sorted(batch) for batch in batches] == [[1, 2, 3], [4], [5, 6, 7, 8, 9], [10]]


def test_whoever_is_heard_of_again_is_no_suspect(film: psycopg.Connection) -> None:
    for _ in range(2):
        claim(film)
        die(film)
    for _ in range(10):
        (job,) = claim(film)
        film.execute(
            "select evervec.fail_jobs(%s, %s, 'timeout', 'slow', null, '0 seconds')",
            [job["lease_token"], [job["job_id"]]],
        )

    assert len(claim(film)) == 10


def test_a_row_that_does_not_render_dies_with_its_reason_wherever_it_stands_in_a_batch(
    conn: psycopg.Connection,
) -> None:
    add_toy_model(conn)
    conn.execute(
        """
        create table film (id integer primary key, title text, year integer);
        insert into film select g, 'Film ' || g, g - 5 from generate_series(1, 10) g;
        select evervec.track('film', p_text_sql => 'film.title || 1 / film.year', p_model => 'toy');
        """
    )
    for _ in range(3):
        jobs = claim(conn)
        assert [job["row_key"] for job in jobs if job["state"] == "failed"] == [{"id": 5}]
        # The others are given back, as where a model is at its limits.
        conn.execute(
            "select evervec.release_jobs(%s, %s)",
            [jobs[0]["lease_token"], [job["job_id"] for job in jobs]],
        )
        conn.execute("update evervec.processing_queue set available_at = now()")

    (letter,) = rows(conn, "select row_key, message from evervec.dead_letter")
    assert letter == {"row_key": {"id": 5}, "message": "division by zero"}


def test_an_expired_lease_costs_no_attempt_and_is_told(film: psycopg.Connection) -> None:
    claim(film, 1)
    die(film)
    film.execute("select evervec.reclaim()")

    (job,) = rows(film, "select * from evervec.processing_queue where expiries > 0")

    assert (job["attempts"], job["expiries"], job["priority"]) == (0, 1, 8)
    assert [failure["class"] for failure in job["failures"]] == ["timeout"]
    assert "lease expired" in job["last_error"]


def test_peer_12_a_late_worker_finds_its_result_discarded(film: psycopg.Connection) -> None:
    late = claim(film)
    die(film)
    assert complete(film, claim(film)) == {"completed": 10}

    assert complete(film, late) == {"lost": 10}
    assert value(film, "select count(*) from evervec.job_receipt where outcome = 'completed'") == 10


def test_peer_14_two_workers_never_have_the_same_row(film: psycopg.Connection, url: str) -> None:
    with psycopg.connect(url) as one, psycopg.connect(url) as two:
        first = claim(one, 6)
        second = claim(two, 6)

    assert len(first) == 6
    assert not {job["job_id"] for job in first} & {job["job_id"] for job in second}
    assert len(first) + len(second) + len(claim(film)) == 10


def test_peer_24_a_batch_of_vanished_rows_does_not_end_the_run(film: psycopg.Connection) -> None:
    drain(film)
    film.execute("insert into film select g, 'Film ' || g, 2000 from generate_series(11, 510) g")
    film.execute("delete from film where id between 11 and 500")

    drained = drain(film, 50)

    assert len(drained.texts) == 10
    assert drained.states["gone"] == 490
    assert value(film, "select count(*) from film_embedding") == 20


@pytest.mark.parametrize("storage", ["table", "column"])
def test_a_note_is_kept_beside_the_vector_and_in_the_receipt(
    film: psycopg.Connection, storage: str
) -> None:
    film.execute(
        "select evervec.track('film', '{year}', p_model => 'toy', p_name => 'noted',"
        " p_storage => %s)",
        [storage],
    )
    jobs = rows(film, "select * from evervec.claim_jobs(2, p_sources => '{noted}')")
    rows(
        film,
        "select * from evervec.complete_jobs(%s, %s, %s::vector[], %s)",
        jobs[0]["lease_token"],
        [job["job_id"] for job in jobs],
        [toy_vector(job["content"]) for job in jobs],
        ["cut to 8191 tokens", None],
    )

    receipts = rows(film, "select note from evervec.job_receipt order by job_id")
    assert [row["note"] for row in receipts] == ["cut to 8191 tokens", None]
    if storage == "table":
        notes = rows(film, "select note from noted_embedding order by id")
        assert [row["note"] for row in notes] == ["cut to 8191 tokens", None]


def test_a_note_goes_when_the_text_fits_again(film: psycopg.Connection) -> None:
    drain(film)
    film.execute("update film_embedding set note = 'cut'")
    film.execute("update film set title = 'Short' where id = 1")

    drain(film)

    assert value(film, "select note from film_embedding where id = 1") is None


def test_notes_are_as_many_as_jobs(film: psycopg.Connection) -> None:
    with raises(film, "VE301", "as many vectors as jobs"):
        film.execute("select * from evervec.complete_jobs(gen_random_uuid(), '{}', '{}', '{a}')")


def test_a_claim_says_what_the_source_wants_of_long_texts(film: psycopg.Connection) -> None:
    assert {job["too_long"] for job in claim(film, 1)} == {"cut"}

    film.execute("select evervec.retrack('film', p_too_long => 'dead_letter')")
    assert {job["too_long"] for job in claim(film)} == {"dead_letter"}

    film.execute("select evervec.retrack('film', '{title,year}')")
    assert {job["too_long"] for job in claim(film)} == {"dead_letter"}


def test_what_becomes_of_long_texts_is_checked(film: psycopg.Connection) -> None:
    with raises(film, "VE111", "p_too_long cannot be 'drop'"):
        film.execute("select evervec.retrack('film', p_too_long => 'drop')")
    film.execute("select evervec.untrack('film', p_drop_vectors => true)")
    with raises(film, "VE111", "p_too_long cannot be 'drop'"):
        film.execute("select evervec.track('film', '{title}', 'toy', p_too_long => 'drop')")


def test_of_a_text_beyond_its_model_a_claim_gives_what_the_model_reads_and_one_character(
    film: psycopg.Connection,
) -> None:
    """A worker holds all texts of a claim at once, however long they are."""
    film.execute("update evervec.model set input_limit = 10")
    film.execute("update film set title = repeat('ä', 3000000) where id > 2")
    film.execute("update film set title = repeat('x', 34) where id = 1")

    jobs = {job["row_key"]["id"]: job for job in claim(film)}

    assert len(jobs[1]["content"]) == 41
    assert {jobs[n]["content"] for n in range(3, 11)} == {"Title: " + "ä" * 34}
    whole = hashlib.sha256(("Title: " + "ä" * 3_000_000).encode()).digest()
    assert jobs[3]["content_hash"] == whole
    assert complete(film, list(jobs.values())) == {"completed": 10}
    assert value(film, "select content_hash from film_embedding where id = 3") == whole
