"""The cache of vectors: the same text and model is not paid for twice while it is kept."""

from __future__ import annotations

import random
from collections import Counter

import psycopg
import pytest

from tests.support import sql_worker
from tests.support.sql_worker import (
    Drained,
    Row,
    add_toy_model,
    complete,
    raises,
    rows,
    toy_vector,
    value,
)


def claim(conn: psycopg.Connection, limit: int = 100) -> list[Row]:
    return sql_worker.claim(conn, limit, cached=True)


def drain(conn: psycopg.Connection) -> Drained:
    return sql_worker.drain(conn, cached=True)


def entries(conn: psycopg.Connection) -> int:
    return int(value(conn, "select count(*) from evervec.embedding_cache"))


def track_copy(conn: psycopg.Connection, name: str = "copy", options: str = "") -> None:
    """A second source over film, whose texts are those of the first."""
    conn.execute(
        f"select evervec.track('film', p_columns => '{{title}}', p_model => 'toy',"
        f" p_name => '{name}'{options})".encode()
    )


def vectors(conn: psycopg.Connection, source: str) -> list[tuple[int, str]]:
    query = f"select id, embedding::text from {source}_embedding order by id"
    return [(row[0], row[1]) for row in conn.execute(query.encode()).fetchall()]


def age(conn: psycopg.Connection, by: str) -> None:
    conn.execute(
        "update evervec.embedding_cache set used_at = used_at - %s::interval,"
        " created_at = created_at - %s::interval",
        [by, by],
    )


def test_a_text_of_another_source_is_not_embedded_again(film: psycopg.Connection) -> None:
    first = drain(film)
    track_copy(film)

    second = drain(film)

    assert len(first.texts) == 10
    assert second.texts == []
    assert second.states["cached"] == 10
    assert vectors(film, "copy") == vectors(film, "film")


def test_what_is_cached_is_leased_and_has_no_content(film: psycopg.Connection) -> None:
    drain(film)
    track_copy(film)

    jobs = claim(film)

    assert {(job["state"], job["content"], len(job["content_hash"])) for job in jobs} == {
        ("cached", None, 32)
    }
    leased = "select count(*) from evervec.processing_queue where status = 'processing'"
    assert value(film, leased) == 10
    assert complete(film, jobs) == {"completed": 10}
    receipts = "select count(*) from evervec.job_receipt where outcome = 'completed'"
    assert value(film, receipts) == 20


def test_a_text_that_comes_back_is_not_embedded_again(film: psycopg.Connection) -> None:
    drain(film)
    before = vectors(film, "film")
    film.execute("update film set title = 'Other' where id = 1")
    assert drain(film).texts == ["Title: Other"]

    film.execute("update film set title = 'Film 1' where id = 1")

    assert drain(film).texts == []
    assert vectors(film, "film") == before


def test_another_model_has_vectors_of_its_own(film: psycopg.Connection) -> None:
    drain(film)
    add_toy_model(film, "other_toy")
    film.execute(
        "select evervec.track('film', '{title}', p_model => 'other_toy', p_name => 'copy')"
    )

    assert len(drain(film).texts) == 10
    assert entries(film) == 20


def test_column_storage_uses_the_cache_too(film: psycopg.Connection) -> None:
    drain(film)
    film.execute("create table film_2 as select id, title from film")
    film.execute("alter table film_2 add primary key (id)")
    film.execute(
        "select evervec.track('film_2', '{title}', p_model => 'toy', p_storage => 'column')"
    )

    assert drain(film).texts == []
    assert value(film, "select count(embedding) from film_2") == 10


def test_vectors_of_manual_storage_are_not_cached(film: psycopg.Connection) -> None:
    film.execute(
        "select evervec.track('film', p_name => 'poster', p_model => 'toy', p_storage => 'manual')"
    )
    film.execute(
        "select evervec.put_embedding('poster', '{\"id\": 1}', %s::vector)", [toy_vector("x")]
    )
    assert entries(film) == 0


def test_an_expired_vector_is_made_anew(film: psycopg.Connection) -> None:
    drain(film)
    age(film, "31 days")
    track_copy(film)

    assert len(drain(film).texts) == 10
    assert value(
        film, "select min(used_at) > now() - interval '1 day' from evervec.embedding_cache"
    )
    track_copy(film, "third")
    assert drain(film).texts == []


def test_a_use_keeps_a_vector_from_expiring(film: psycopg.Connection) -> None:
    drain(film)
    age(film, "29 days")
    track_copy(film)
    drain(film)

    age(film, "20 days")
    track_copy(film, "third")

    assert drain(film).texts == []


def test_cleanup_forgets_what_has_expired_by_the_setting(film: psycopg.Connection) -> None:
    drain(film)
    age(film, "8 days")
    film.execute("select evervec.cleanup_expired()")
    assert entries(film) == 10

    film.execute("update evervec.setting set value = '\"7 days\"' where name = 'cache_keep'")

    assert value(film, "select sum(removed) from evervec.cleanup_expired()") == 10
    assert entries(film) == 0


def test_a_source_with_the_cache_off_neither_fills_nor_uses_it(film: psycopg.Connection) -> None:
    track_copy(film, "secret", ", p_cache => false")
    assert value(film, "select cache from evervec.source where name = 'secret'") is False
    jobs = claim(film)
    own = [job for job in jobs if job["source"] == "secret"]
    assert complete(film, own) == {"completed": 10}
    assert entries(film) == 0

    complete(film, [job for job in jobs if job["source"] == "film"])
    assert entries(film) == 10
    film.execute("update film set title = 'Other' where id = 1")
    drain(film)
    film.execute("update film set title = 'Film 1' where id = 1")
    again = {(job["source"], job["state"]) for job in claim(film)}
    assert again == {("film", "cached"), ("secret", "embed")}


def test_retrack_turns_the_cache_off_and_on(film: psycopg.Connection) -> None:
    drain(film)
    film.execute("select evervec.retrack('film', p_cache => false)")
    film.execute("select evervec.reset('film')")
    assert len(drain(film).texts) == 10

    film.execute("select evervec.retrack('film')")
    assert value(film, "select cache from evervec.source") is False
    film.execute("select evervec.retrack('film', p_cache => true)")
    film.execute("select evervec.reset('film')")
    assert drain(film).texts == []


def test_a_worker_may_decline_what_is_cached(film: psycopg.Connection) -> None:
    drain(film)
    track_copy(film)

    jobs = rows(film, "select * from evervec.claim_jobs(p_cached => false)")

    assert {job["state"] for job in jobs} == {"embed"}
    assert complete(film, jobs) == {"completed": 10}
    assert entries(film) == 10


def test_a_vector_that_was_forgotten_since_the_claim_is_made_by_the_next(
    film: psycopg.Connection,
) -> None:
    drain(film)
    track_copy(film)
    jobs = claim(film)
    film.execute(
        "delete from evervec.embedding_cache where content_hash = %s", [jobs[0]["content_hash"]]
    )

    assert complete(film, jobs) == {"completed": 9, "retry": 1}

    (again,) = claim(film)
    assert (again["job_id"], again["state"], again["attempts"]) == (jobs[0]["job_id"], "embed", 0)
    assert complete(film, [again]) == {"completed": 1}
    assert vectors(film, "copy") == vectors(film, "film")


def test_all_of_them_forgotten_is_no_error(film: psycopg.Connection) -> None:
    drain(film)
    track_copy(film)
    jobs = claim(film)
    value(film, "select evervec.cache_delete()")

    assert complete(film, jobs) == {"retry": 10}


def test_a_row_that_changed_meanwhile_gets_no_cached_vector(film: psycopg.Connection) -> None:
    drain(film)
    track_copy(film)
    jobs = claim(film)
    film.execute("update film set title = 'Other' where id = 1")

    assert complete(film, jobs) == {"completed": 9, "superseded": 1}


def test_what_was_paid_for_is_kept_when_its_row_goes_or_is_held(
    film: psycopg.Connection, url: str
) -> None:
    jobs = claim(film)
    film.execute("delete from film where id = 1")
    with psycopg.connect(url) as user:
        user.execute("update film set id = 20 where id = 2")
        outcomes = complete(film, jobs)
        user.rollback()
    assert outcomes == {"completed": 8, "gone": 1, "locked": 1}
    film.execute("insert into film values (1, 'Film 1', 1991)")
    film.execute("update evervec.processing_queue set available_at = now()")

    assert drain(film).texts == []
    assert value(film, "select percent from evervec.coverage('film')") == 100


def test_a_cut_text_keeps_its_note_and_is_not_for_sources_that_want_none_cut(
    film: psycopg.Connection,
) -> None:
    jobs = claim(film)
    film.execute(
        "select evervec.complete_jobs(%s, %s, %s::vector[], array_fill('cut'::text, '{10}'))",
        [
            jobs[0]["lease_token"],
            [job["job_id"] for job in jobs],
            [toy_vector(job["content"]) for job in jobs],
        ],
    )
    track_copy(film, "lenient")
    assert drain(film).texts == []
    assert value(film, "select array_agg(distinct note) from lenient_embedding") == ["cut"]

    track_copy(film, "strict", ", p_too_long => 'dead_letter'")

    assert {job["state"] for job in claim(film)} == {"embed"}


def test_a_cached_vector_says_nothing_about_the_service(film: psycopg.Connection) -> None:
    drain(film)
    track_copy(film)
    jobs = claim(film)
    film.execute(
        "update evervec.model set pause_class = 'auth', paused_until = now() + interval '1 hour'"
    )

    complete(film, jobs)

    assert value(film, "select pause_class from evervec.model") == "auth"


def test_wrong_dimensions_do_not_reach_the_cache(film: psycopg.Connection) -> None:
    jobs = claim(film)
    with raises(film, "VE109", "has 2 dimensions, not 4"):
        film.execute(
            "select evervec.complete_jobs(%s, %s, array['[1,2]']::vector[])",
            [jobs[0]["lease_token"], [jobs[0]["job_id"]]],
        )
    assert entries(film) == 0


def test_a_lost_lease_fills_no_cache(film: psycopg.Connection) -> None:
    jobs = claim(film)
    film.execute(
        "select evervec.release_jobs(%s, %s)",
        [jobs[0]["lease_token"], [job["job_id"] for job in jobs]],
    )
    assert complete(film, jobs) == {"lost": 10}
    assert entries(film) == 0


# -- deleting ----------------------------------------------------------------------------------


def test_cache_delete_by_source_takes_its_former_and_its_present_texts(
    film: psycopg.Connection,
) -> None:
    drain(film)
    film.execute("update film set title = 'Other' where id = 1")
    drain(film)
    film.execute("create table book (id integer primary key, title text)")
    film.execute("insert into book values (1, 'Film 3'), (2, 'A book')")
    film.execute("select evervec.track('book', '{title}', p_model => 'toy')")
    drain(film)
    assert entries(film) == 12

    assert value(film, "select evervec.cache_delete('book')") == 2
    assert entries(film) == 10
    assert value(film, "select evervec.cache_delete('film')") == 10
    assert value(film, "select evervec.cache_delete('film')") == 0
    assert len(vectors(film, "film")) == 10


def test_cache_delete_by_model_and_age(film: psycopg.Connection) -> None:
    drain(film)
    add_toy_model(film, "other_toy")
    assert value(film, "select evervec.cache_delete(p_model => 'other_toy')") == 0
    assert value(film, "select evervec.cache_delete(p_older_than => '1 day')") == 0
    age(film, "2 days")
    delete = "select evervec.cache_delete(p_model => 'toy', p_older_than => '1 day')"
    assert value(film, delete) == 10


def test_cache_delete_names_what_does_not_exist(film: psycopg.Connection) -> None:
    with raises(film, "VE101", "nowhere"):
        film.execute("select evervec.cache_delete('nowhere')")
    with raises(film, "VE108", "nothing"):
        film.execute("select evervec.cache_delete(p_model => 'nothing')")


@pytest.mark.parametrize(("fresh", "paid"), [("false", 0), ("true", 10)])
def test_regenerate_pays_again_only_when_asked_to(
    film: psycopg.Connection, fresh: str, paid: int
) -> None:
    drain(film)
    job_id = value(
        film,
        "select evervec.enqueue_task('regenerate', %s::jsonb)",
        f'{{"source": "film", "fresh": {fresh}}}',
    )
    texts: list[str] = []
    for _ in range(100):
        texts += drain(film).texts
        if value(film, "select state from evervec.job_status(%s)", job_id) == "completed":
            break
        film.execute("update evervec.processing_queue set available_at = now()")

    assert len(texts) == paid
    assert value(film, "select percent from evervec.coverage('film')") == 100


# -- the property --------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(4))
def test_a_text_is_sent_at_most_once(film: psycopg.Connection, seed: int) -> None:
    """Few texts, many changes in three sources; what is claimed together counts once."""
    dice = random.Random(seed)  # noqa: S311
    track_copy(film)
    film.execute("create table book (id integer primary key, title text)")
    film.execute("select evervec.track('book', '{title}', p_model => 'toy')")
    sent: Counter[bytes] = Counter()
    for _ in range(60):
        table, row, title = dice.choice(("film", "book")), dice.randrange(15), dice.randrange(20)
        match dice.randrange(4):
            case 0:
                film.execute(f"delete from {table} where id = {row}".encode())
            case 1 | 2:
                film.execute(
                    f"insert into {table} (id, title) values ({row}, 'T {title}')"
                    f" on conflict (id) do update set title = excluded.title".encode()
                )
            case 3:
                jobs = claim(film, dice.choice((1, 5, 100)))
                sent.update({j["content_hash"] for j in jobs if j["state"] == "embed"})
                complete(film, jobs)
    while jobs := claim(film):
        sent.update({job["content_hash"] for job in jobs if job["state"] == "embed"})
        complete(film, jobs)
    assert sent
    assert max(sent.values()) == 1
    for source in ("film", "copy", "book"):
        assert value(film, "select missing from evervec.coverage(%s)", source) == 0
