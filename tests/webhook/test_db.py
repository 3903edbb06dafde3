"""The database layer: typed calls, the server's errors kept, nothing that PgBouncer cannot bear."""

from __future__ import annotations

import socket
import time
from datetime import timedelta

import numpy as np
import psycopg
import pytest

from evervec.db import Database, DatabaseUnavailableError
from evervec.errors import EvervecError
from tests.support import cluster as servers
from tests.support.openai_server import words_vector
from tests.webhook.conftest import SQL_ADD_MODEL, Service


def test_an_error_of_the_server_keeps_sqlstate_detail_and_hint(url: str) -> None:
    with Database(url) as db, pytest.raises(EvervecError) as error:
        db.get_source("nosuch")

    assert error.value.sqlstate == "VE101"
    assert error.value.detail
    assert error.value.hint


def test_a_refused_connection_is_one_sentence_at_once() -> None:
    started = time.monotonic()

    with pytest.raises(DatabaseUnavailableError, match="cannot reach the database") as error:
        Database("postgresql://me:hunter2@127.0.0.1:9/x").open()

    assert time.monotonic() - started < 3
    assert "\n" not in error.value.message
    assert "hunter2" not in str(error.value)


def test_a_host_that_never_answers_is_given_up_after_the_timeout() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        started = time.monotonic()

        with pytest.raises(DatabaseUnavailableError):
            Database(
                f"postgresql://x@127.0.0.1:{silent.getsockname()[1]}/x", connect_timeout=2
            ).open()

        assert time.monotonic() - started < 5


def test_a_database_without_evervec_says_what_to_run(bare_database: servers.Database) -> None:
    with Database(bare_database.url) as db:
        for call in (db.status, db.tick, lambda: db.get_model("local")):
            with pytest.raises(EvervecError, match="evervec is not installed") as error:
                call()
            assert error.value.hint == "Run: evervec migrate"


def test_a_missing_table_whose_name_only_resembles_ours_is_not_mistaken(url: str) -> None:
    with Database(url) as db, pytest.raises(EvervecError, match='"evervec_films" does not exist'):
        db.track("evervec_films", columns=["x"])


def test_calls_run_read_committed_whatever_the_database_prefers(
    service: Service, superuser_conn: psycopg.Connection
) -> None:
    name = superuser_conn.info.dbname
    superuser_conn.execute(
        f"alter database {name} set default_transaction_isolation = 'serializable'"
    )
    service.track(rows=[(1, "a", "b")])

    with Database(service.config.database_url) as db, db._transaction() as connection:
        row = connection.execute("show transaction_isolation").fetchone()

    assert row == {"transaction_isolation": "read committed"}


def test_a_session_keeps_nothing_between_calls(service: Service) -> None:
    service.track(rows=[(1, "a", "b")])
    service.worker().drain()

    with service.db._connection() as connection:
        left = connection.execute(
            "select (select count(*) from pg_prepared_statements) as prepared,"
            " (select count(*) from pg_locks"
            "   where locktype = 'advisory' and pid = pg_backend_pid()) as locks,"
            " (select count(*) from pg_settings where source = 'session'"
            "   and name not in ('application_name', 'client_encoding')) as settings"
        ).fetchone()

    assert left == {"prepared": 0, "locks": 0, "settings": 0}


def test_peer_29_vectors_pass_where_pgvector_lives_in_another_schema(
    cluster: servers.Cluster,
) -> None:
    from evervec import migrate

    with cluster.bare_database("extensions") as database:
        migrate.apply(database.url)
        with psycopg.connect(database.url, autocommit=True) as conn, Database(database.url) as db:
            conn.execute(SQL_ADD_MODEL, [3])
            conn.execute("create table t (id int primary key, a text)")
            conn.execute("insert into t values (1, 'x')")
            db.track("t", columns=["a"], model="words")
            claim = db.claim_jobs(10, timedelta(minutes=1), "test")
            assert claim is not None

            vector = words_vector("x", 3)
            outcomes = db.complete_jobs(claim.lease_token, [claim.jobs[0].job_id], [vector])

            assert [outcome.outcome for outcome in outcomes] == ["completed"]
            (found,) = db.find_similar("t", vector)
            assert found.similarity == pytest.approx(1, abs=1e-6)


def test_a_key_beyond_a_double_is_given_back_as_it_came(service: Service) -> None:
    key = "12345678901234567890.123456789"
    service.conn.execute("create table big (n numeric primary key, a text)")
    service.conn.execute(f"insert into big values ({key}, 'whale'), (1, 'whale')")
    service.db.track("big", columns=["a"], model="words", index="none")
    service.worker().drain()

    row_key = service.db.parse_key("big", key)

    assert key in row_key
    assert [row.key for row in service.db.find_similar_to("big", row_key)] == [{"n": 1}]


def test_a_wrong_number_of_dimensions_is_the_servers_own_error(service: Service) -> None:
    service.track()

    with pytest.raises(EvervecError) as error:
        service.db.find_similar("note", np.ones(3, dtype=np.float32))

    assert error.value.sqlstate == "VE201"
