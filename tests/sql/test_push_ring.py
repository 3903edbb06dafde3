"""ring(): by schedule, if there is work, by whatever transport is there."""

from __future__ import annotations

import psycopg
import pytest

from tests.support import pg_net, pgsql_http
from tests.support.rings import Ring, checked
from tests.support.sql_worker import Row, drain, rows, value

WEBHOOK = "http://127.0.0.1:9"


@pytest.fixture
def idle(film: psycopg.Connection, superuser_conn: psycopg.Connection) -> psycopg.Connection:
    """Films that are all embedded, pgsql-http, and a webhook to ring."""
    drain(film)
    pgsql_http.install(superuser_conn)
    film.execute("select evervec.configure_push(%s)", [WEBHOOK])
    return film


def change(conn: psycopg.Connection) -> None:
    conn.execute("update film set title = title || '!' where id = 1")


def ring(conn: psycopg.Connection) -> Row:
    return rows(conn, "select * from evervec.ring()")[0]


def test_without_push_nothing_rings(film: psycopg.Connection) -> None:
    assert ring(film) == {"rang": False, "transport": None, "problem": None}


def test_without_work_nothing_rings(
    idle: psycopg.Connection, superuser_conn: psycopg.Connection
) -> None:
    assert ring(idle) == {"rang": False, "transport": "http", "problem": None}
    assert pgsql_http.sent(superuser_conn) == []


def test_the_webhook_is_rung_with_a_signature_that_holds_and_a_limit_of_a_second(
    idle: psycopg.Connection, superuser_conn: psycopg.Connection
) -> None:
    change(idle)

    assert ring(idle) == {"rang": True, "transport": "http", "problem": None}

    (request,) = pgsql_http.sent(superuser_conn)
    headers = request["headers"]
    assert (request["method"], request["uri"]) == ("POST", f"{WEBHOOK}/v1/wake")
    assert (request["content_type"], request["timeout"]) == ("application/json", "1000")
    heard = Ring(
        int(headers["X-Evervec-Timestamp"]),
        headers["X-Evervec-Nonce"],
        request["content"].encode(),
        headers["X-Evervec-Signature"],
    )
    assert checked(idle, heard) == "ok"


@pytest.mark.parametrize("former", ["", "set http.timeout_msec = '4321'"])
def test_the_limit_of_time_is_put_back(idle: psycopg.Connection, former: str) -> None:
    idle.execute(former.encode() or b"select 1")
    with idle.transaction():
        change(idle)
        ring(idle)
        assert value(idle, "show http.timeout_msec") == ("4321" if former else "5000")


@pytest.mark.parametrize(
    "work",
    [
        "update film set title = 'Changed' where id = 1",
        "select evervec.backfill('film')",
        "update film set title = 'Changed' where id = 1; select evervec.tick()",
        'select evervec.enqueue_task(\'batch\', \'{"source": "film", "pass": "backfill"}\')',
    ],
)
def test_all_kinds_of_work_ring(idle: psycopg.Connection, work: str) -> None:
    idle.execute(work.encode())
    assert ring(idle)["rang"] is True


@pytest.mark.parametrize(
    "held",
    [
        "select evervec.pause('film')",
        "select evervec.pause_model('toy')",
        "update evervec.processing_queue set available_at = now() + interval '1 minute'",
    ],
)
def test_work_that_waits_does_not_ring(idle: psycopg.Connection, held: str) -> None:
    change(idle)
    idle.execute("select evervec.tick()")
    idle.execute(held.encode())
    assert ring(idle)["rang"] is False


@pytest.mark.parametrize(
    ("status", "said", "problem"),
    [
        (500, "", "the webhook answered 500"),
        (401, "", "the webhook answered 401"),
        (None, "Failed to connect to 127.0.0.1", "Failed to connect to 127.0.0.1"),
    ],
)
def test_a_ring_that_fails_is_told_and_the_next_one_repeats_it(
    idle: psycopg.Connection,
    superuser_conn: psycopg.Connection,
    status: int | None,
    said: str,
    problem: str,
) -> None:
    change(idle)
    pgsql_http.answer(superuser_conn, status, said)

    assert ring(idle) == {"rang": False, "transport": "http", "problem": problem}
    (finding,) = rows(idle, "select * from evervec.doctor_push()")
    assert (finding["finding"], finding["severity"]) == ("push fails", "error")
    assert problem in finding["problem"]

    pgsql_http.answer(superuser_conn, 202)
    idle.execute(finding["remedy"].encode())
    assert [f["severity"] for f in rows(idle, "select * from evervec.doctor_push()")] == ["info"]


def test_pg_net_goes_before_pgsql_http(
    idle: psycopg.Connection, superuser_conn: psycopg.Connection
) -> None:
    change(idle)
    pg_net.install(superuser_conn)

    assert ring(idle) == {"rang": True, "transport": "pg_net", "problem": None}

    assert len(pg_net.requests(idle)) == 1
    superuser_conn.execute("drop schema net cascade")
    assert ring(idle)["transport"] == "http"
