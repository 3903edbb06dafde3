"""pgsql-http itself rings the webhook, and asks it for the vectors of searches."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import closing

import psycopg
import pytest

from tests.extensions.conftest import NOTES
from tests.service.serving import Serving
from tests.support.migrating import wait_for
from tests.support.sql_worker import rows, value

# The database is that of pg_cron too.
pytestmark = [pytest.mark.pgsql_http, pytest.mark.pg_cron]

EMBEDDED = "select count(*) from note_embedding"


@pytest.fixture
def port() -> Iterator[socket.socket]:
    """A port of this machine that is nobody's yet."""
    with closing(socket.socket()) as found:
        found.bind(("127.0.0.1", 0))
        yield found


def push_to(conn: psycopg.Connection, port: socket.socket) -> None:
    address = f"http://127.0.0.1:{port.getsockname()[1]}"
    conn.execute("select evervec.configure_push(%s, 'http')", [address])


def test_a_ring_wakes_the_webhook_which_embeds(notes: psycopg.Connection, webhook: Serving) -> None:
    notes.execute("select evervec.configure_push(%s, 'http')", [webhook.address])

    (ring,) = rows(notes, "select * from evervec.ring()")

    assert ring == {"rang": True, "transport": "http", "problem": None}
    wait_for(lambda: value(notes, EMBEDDED) == NOTES)


def test_a_search_in_words_that_nobody_has_embedded_asks_the_webhook(
    notes: psycopg.Connection, webhook: Serving
) -> None:
    notes.execute("select evervec.configure_push(%s, 'http', p_search => true)", [webhook.address])
    notes.execute("select evervec.ring()")
    wait_for(lambda: value(notes, EMBEDDED) == NOTES)

    found = rows(notes, "select * from evervec.search('note', 'something quite new', 2)")

    assert len(found) == 2


def test_a_closed_port_is_told_at_once(notes: psycopg.Connection, port: socket.socket) -> None:
    push_to(notes, port)

    (ring,) = rows(notes, "select * from evervec.ring()")

    assert ring["rang"] is False
    assert ring["problem"]


def test_a_silent_port_costs_a_second_and_the_callers_time_limit_stays(
    notes: psycopg.Connection, port: socket.socket
) -> None:
    port.listen()
    push_to(notes, port)
    notes.execute("select set_config('http.timeout_msec', '7s', false)")
    began = time.monotonic()

    (ring,) = rows(notes, "select * from evervec.ring()")

    assert time.monotonic() - began < 3
    assert ring["rang"] is False
    assert value(notes, "select current_setting('http.timeout_msec')") == "7s"
