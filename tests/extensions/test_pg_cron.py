"""pg_cron itself does the upkeep, without any worker."""

from __future__ import annotations

import psycopg
import pytest

from tests.extensions.conftest import NOTES
from tests.service.serving import Serving
from tests.support.cluster import OWNER, Database
from tests.support.migrating import wait_for
from tests.support.openai_server import DIMENSIONS
from tests.support.sql_worker import rows, value
from tests.webhook.conftest import Program

pytestmark = pytest.mark.pg_cron


@pytest.fixture
def superuser(home: Database) -> psycopg.Connection:
    """Who sees what pg_cron does for everybody."""
    return psycopg.connect(home.superuser_url, autocommit=True)


def schedule(conn: psycopg.Connection) -> None:
    """Every job, each second."""
    conn.execute("select evervec.schedule_maintenance()")
    conn.execute("select cron.schedule(jobname, '1 seconds', command) from cron.job")


def test_every_job_succeeds_again_and_again(
    notes: psycopg.Connection, superuser: psycopg.Connection
) -> None:
    schedule(notes)
    jobs = {row["jobname"] for row in rows(superuser, "select jobname from cron.job")}
    kept = {row["job"] for row in rows(notes, "select job from evervec.maintenance")}
    assert {name.partition("@")[0] for name in jobs} == {f"evervec.{n}" for n in kept | {"prune"}}

    succeeded = """
        select count(*) = (select count(*) from cron.job)
          from (select j.jobid
                  from cron.job j join cron.job_run_details d using (jobid)
                 where d.status = 'succeeded' group by 1 having count(*) >= 2) x
    """
    wait_for(lambda: bool(value(superuser, succeeded)), 30)
    failed = "select return_message from cron.job_run_details where status = 'failed'"
    assert rows(superuser, failed) == []


def test_changes_are_folded_and_what_is_past_its_time_is_forgotten(
    notes: psycopg.Connection, superuser: psycopg.Connection
) -> None:
    vector = [1.0] * DIMENSIONS
    notes.execute("select evervec.cache_query('wire', 'milk', %s::vector)", [str(vector)])
    notes.execute("update evervec.query_cache set created_at = now() - interval '1 year'")
    notes.execute("insert into note values (100, 'a new one')")

    schedule(notes)

    wait_for(lambda: value(notes, "select count(*) from evervec.change_log") == 0, 30)
    wait_for(lambda: value(notes, "select count(*) from evervec.query_cache") == 0, 30)


def test_peer_37_what_pg_cron_keeps_about_runs_is_pruned(
    notes: psycopg.Connection, superuser: psycopg.Connection
) -> None:
    schedule(notes)
    runs = "select count(*) from cron.job_run_details where status = 'succeeded'"
    wait_for(lambda: value(superuser, runs) > 0, 30)

    superuser.execute("update cron.job_run_details set end_time = now() - interval '1 year'")

    old = "select count(*) from cron.job_run_details where end_time < now() - interval '1 month'"
    wait_for(lambda: value(superuser, old) == 0, 30)


def test_unscheduling_takes_every_job_away(
    notes: psycopg.Connection, superuser: psycopg.Connection
) -> None:
    notes.execute("select evervec.schedule_maintenance()")

    notes.execute("select evervec.unschedule_maintenance()")

    assert value(superuser, "select count(*) from cron.job") == 0


def test_it_does_the_upkeep_of_another_database_as_its_owner(
    home: Database, superuser: psycopg.Connection, conn: psycopg.Connection, url: str
) -> None:
    conn.execute("update evervec.maintenance set every = '1 second'")
    conn.execute("insert into evervec.change_log (source_id, operation) values (0, 'T')")
    program = Program(url)

    told = program.run("schedule", "--cron-dsn", home.superuser_url)

    assert told.code == 0, told.err
    wait_for(lambda: value(conn, "select count(*) from evervec.change_log") == 0, 30)
    ran_as = "select count(*) from cron.job_run_details where username = %s"
    assert value(superuser, ran_as, OWNER) > 0
    ended = program.run("unschedule", "--cron-dsn", home.superuser_url)
    jobs = value(conn, "select count(*) + 1 from evervec.maintenance")
    assert ended.out == f"{jobs} jobs are removed.\n"


@pytest.mark.pgsql_http
def test_a_scheduled_ring_wakes_the_webhook_which_embeds(
    notes: psycopg.Connection, webhook: Serving
) -> None:
    notes.execute("select evervec.configure_push(%s, 'http')", [webhook.address])

    schedule(notes)

    wait_for(lambda: value(notes, "select count(*) from note_embedding") == NOTES, 30)
