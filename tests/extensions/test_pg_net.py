"""pg_net itself rings the webhook, after commits."""

from __future__ import annotations

import psycopg
import pytest

from tests.extensions.conftest import NOTES
from tests.service.serving import Serving
from tests.support.migrating import wait_for
from tests.support.sql_worker import rows, value

# The database is that of pg_cron too.
pytestmark = [pytest.mark.pg_net, pytest.mark.pg_cron]

EMBEDDED = "select count(*) from note_embedding"
ANSWERS = "select status_code, error_msg from net._http_response order by id"


def test_a_commit_rings_once_and_the_webhook_embeds(
    notes: psycopg.Connection, webhook: Serving
) -> None:
    notes.execute("select evervec.configure_push(%s, 'pg_net')", [webhook.address])

    with notes.transaction():
        for number in range(10, 15):
            notes.execute("insert into note values (%s, 'a new one')", [number])
        assert value(notes, "select count(*) from net.http_request_queue") == 1

    wait_for(lambda: value(notes, EMBEDDED) == NOTES + 5)
    wait_for(lambda: rows(notes, ANSWERS) == [{"status_code": 202, "error_msg": None}])


def test_peer_36_a_ring_that_is_lost_is_made_up_for(
    notes: psycopg.Connection, webhook: Serving
) -> None:
    notes.execute("select evervec.configure_push('http://127.0.0.1:9', 'pg_net')")
    notes.execute("insert into note values (10, 'a new one')")
    wait_for(lambda: len(rows(notes, ANSWERS)) == 1)
    assert rows(notes, ANSWERS)[0]["error_msg"]

    notes.execute("select evervec.configure_push(%s, 'pg_net')", [webhook.address])
    notes.execute("select evervec.ring()")

    wait_for(lambda: value(notes, EMBEDDED) == NOTES + 1)


def test_a_rolled_back_change_rings_nobody(notes: psycopg.Connection, webhook: Serving) -> None:
    notes.execute("select evervec.configure_push(%s, 'pg_net')", [webhook.address])

    with notes.transaction(force_rollback=True):
        notes.execute("insert into note values (10, 'a new one')")

    assert value(notes, "select count(*) from net.http_request_queue") == 0
    assert rows(notes, ANSWERS) == []
