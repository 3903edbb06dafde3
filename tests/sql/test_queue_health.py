"""The view queue_health: what waits, since when, how fast it goes and how long it will take."""

from __future__ import annotations

import psycopg

from tests.support.sql_worker import drain, rows


def log_batch(conn: psycopg.Connection, *, claimed: int, seconds_ago: int) -> None:
    conn.execute(
        "insert into evervec.batch_log (source, model, claimed, embedded, cached, unchanged,"
        " failed, requests, tokens, claim_ms, embed_ms, complete_ms, finished_at)"
        " values ('film', 'toy', %s, %s, 0, 0, 0, 1, 1, 100, 300, 100,"
        " now() - make_interval(secs => %s))",
        [claimed, claimed, seconds_ago],
    )


def test_at_rest_nothing_waits(film: psycopg.Connection) -> None:
    drain(film)

    (health,) = rows(film, "select *, eta = interval '0' as done from evervec.queue_health")

    assert (health["pending"], health["backfill"], health["oldest"]) == (0, 0, None)
    assert health["done"]


def test_what_waits_is_told_with_its_age(film: psycopg.Connection) -> None:
    drain(film)
    film.execute("update film set title = 'changed' where id < 4")

    (health,) = rows(film, "select *, oldest <= now() as waits from evervec.queue_health")

    assert (health["pending"], health["waits"], health["eta"]) == (3, True, None)


def test_the_eta_follows_the_rate_of_the_last_minutes(film: psycopg.Connection) -> None:
    drain(film)
    film.execute("delete from evervec.batch_log")
    log_batch(film, claimed=1000, seconds_ago=3600)
    log_batch(film, claimed=10, seconds_ago=100)
    log_batch(film, claimed=40, seconds_ago=50)
    film.execute("update film set title = 'changed' where id < 6")

    (health,) = rows(
        film, "select *, extract(epoch from eta)::int as seconds from evervec.queue_health"
    )

    assert 29 < health["rows_a_minute"] < 31
    assert 10 <= health["seconds"] <= 11
    assert (health["embed_ms"], health["claim_ms"]) == (600 / 50, 200 / 50)
