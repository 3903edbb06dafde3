"""pg_cron itself does the upkeep, in its own database and in another."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from evervec import migrate
from tests.support.cluster import OWNER, Cluster, Database
from tests.support.extensions import database_of_jobs
from tests.support.sessions import until
from tests.support.sql_worker import rows, value
from tests.webhook.conftest import Program

pytestmark = pytest.mark.pg_cron


@pytest.fixture
def jobs(cluster: Cluster) -> Iterator[Database]:
    """The database of pg_cron, which has pgvector, too."""
    with database_of_jobs(cluster) as database:
        with psycopg.connect(database.superuser_url) as conn:
            conn.execute("create extension pg_cron; create extension vector")
            conn.execute(f"grant usage on schema cron to {OWNER}")
        yield database


def hurry(conn: psycopg.Connection) -> None:
    """What is done once a minute is done every second."""
    conn.execute("update evervec.maintenance set every = '1 second'")


def make_work(conn: psycopg.Connection) -> None:
    """A change for tick to fold, and a receipt for cleanup_expired to forget."""
    conn.execute("insert into evervec.change_log (source_id, operation) values (0, 'T')")
    conn.execute(
        "insert into evervec.job_receipt (job_id, task_type, outcome, attempts, generation,"
        " created_at, finished_at) values (1, 'embed', 'gone', 1, 1, now(), now() - interval '2 d')"
    )


def done(conn: psycopg.Connection) -> bool:
    return bool(
        value(
            conn,
            "select not exists (select from evervec.change_log)"
            " and not exists (select from evervec.job_receipt)",
        )
    )


def outcomes(conn: psycopg.Connection) -> set[tuple[str, str]]:
    """The roles as which jobs of evervec ran, and how they ended."""
    found = rows(conn, "select username, status, return_message from cron.job_run_details")
    return {(row["username"], row["status"]) for row in found if row["status"] != "running"}


def test_pg_cron_does_the_upkeep_of_its_own_database(jobs: Database) -> None:
    migrate.apply(jobs.url)
    with psycopg.connect(jobs.url, autocommit=True) as conn:
        hurry(conn)
        make_work(conn)
        conn.execute("select evervec.schedule_maintenance()")

        until(lambda: done(conn))

        assert outcomes(conn) <= {(OWNER, "succeeded"), (OWNER, "starting")}
        assert value(conn, "select evervec.unschedule_maintenance()") == 4
        assert rows(conn, "select * from cron.job") == []


def test_pg_cron_does_the_upkeep_of_another_database(
    jobs: Database, conn: psycopg.Connection, url: str
) -> None:
    program = Program(url)
    hurry(conn)
    make_work(conn)

    told = program.run("schedule", "--cron-dsn", jobs.superuser_url)
    assert told.code == 0, told.err
    until(lambda: done(conn))

    with psycopg.connect(jobs.superuser_url, autocommit=True) as cron:
        assert (OWNER, "succeeded") in outcomes(cron)
    assert (
        program.run("unschedule", "--cron-dsn", jobs.superuser_url).out == "4 jobs are removed.\n"
    )


def test_peer_37_pg_cron_itself_is_pruned(jobs: Database) -> None:
    migrate.apply(jobs.url)
    with psycopg.connect(jobs.url, autocommit=True) as conn:
        hurry(conn)
        conn.execute("update evervec.setting set value = '\"0\"' where name = 'cron_history_keep'")
        conn.execute("select evervec.schedule_maintenance()")
        ended = "select count(*) from cron.job_run_details where end_time is not null"
        until(lambda: value(conn, ended) > 2)
        prune = value(conn, "select command from cron.job where jobname like 'evervec.prune@%%'")

        removed = conn.execute(prune.encode()).rowcount

        assert removed > 2
        conn.execute("select evervec.unschedule_maintenance()")
