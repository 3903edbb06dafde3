"""The index of a source is built when it is due, by whoever may, and never in anybody's way."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import psycopg
import pytest

from evervec import index
from evervec.db import Database
from evervec.errors import EvervecError
from evervec.worker import Worker
from tests.support import cluster as clusters
from tests.support.roles import role
from tests.support.sessions import until
from tests.webhook.conftest import Service

ROWS = [(i, f"row {i}", "x") for i in range(50)]


def test_draining_ends_with_a_valid_index(service: Service) -> None:
    service.track(rows=ROWS)

    service.worker().drain()

    assert service.db.status()[0].index_state == "valid"
    assert service.db.index_statement("note") is None


def test_an_invalid_index_is_replaced(service: Service) -> None:
    service.track(rows=ROWS)
    service.worker().drain()
    service.conn.execute("drop index if exists note_embedding_embedding_idx")
    service.worker().drain()

    assert service.db.status()[0].index_state == "valid"


def test_a_source_without_an_index_gets_none(service: Service) -> None:
    service.conn.execute("create table note (id int primary key, title text)")
    service.conn.execute("insert into note values (1, 'x')")
    service.db.track("note", columns=["title"], model="words", index="none")

    service.worker().drain()

    assert service.db.status()[0].index_state == "none"


def test_a_worker_that_may_not_build_says_so_and_goes_on(
    service: Service, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(_: str) -> None:
        raise EvervecError("must be owner of table note_embedding", sqlstate="42501")

    monkeypatch.setattr(service.db, "execute_index_statement", refuse)
    service.track(rows=ROWS)

    with caplog.at_level("WARNING", "evervec"):
        summary = service.worker().drain()

    assert summary.embedded == 50
    assert "index_not_permitted" in caplog.text


def test_peer_26_a_running_worker_builds_the_index_beside_its_work(service: Service) -> None:
    service.track(rows=ROWS)
    builder = index.IndexBuilder(service.db)
    service.batch()
    service.conn.execute("analyze note_embedding")
    while service.batch().claimed:
        pass

    builder.start_due()
    service.conn.execute("insert into note values (999, 'new', 'row')")
    assert service.batch().embedded == 1

    assert builder._thread is not None
    builder._thread.join(timeout=20)
    assert service.db.status()[0].index_state == "valid"


def writes_never_end(service: Service) -> None:
    """Each request to the provider is answered only after every row has changed again."""

    def write(_: Sequence[str]) -> None:
        with psycopg.connect(service.config.database_url) as conn:
            conn.execute("update note set title = title || '.'")

    service.provider.fail = write
    write([])


@contextmanager
def running(service: Service, db: Database | None = None) -> Iterator[None]:
    """A worker works until the end of the block."""
    worker = Worker(db or service.db, service.providers, service.config, stop=service.stop)
    thread = threading.Thread(target=worker.run)
    thread.start()
    try:
        yield
    finally:
        service.stop.set()
        thread.join(timeout=20)


def backlog(service: Service) -> float:
    """The work that is left, as a share of the vectors."""
    return service.db.pending("note").total / len(service.vectors())


def test_peer_26_a_worker_builds_the_index_under_writes_that_never_end(service: Service) -> None:
    service.conn.execute("update evervec.setting set value = '\"1 s\"' where name = 'index_wait'")
    service.track(rows=ROWS)
    service.worker().drain()
    service.conn.execute("drop index note_embedding_embedding_idx")
    writes_never_end(service)

    with running(service):
        until(lambda: service.db.status()[0].index_state == "valid")
        left = backlog(service)

    assert left > 0.05


def test_peer_26_a_worker_tidies_under_writes_that_never_end(service: Service) -> None:
    service.track(rows=ROWS)
    service.worker().drain()
    service.conn.execute(
        "update evervec.job_receipt set finished_at = finished_at - interval '2 days';"
        "update evervec.maintenance set every = '1 second'"
    )
    writes_never_end(service)
    old = "select count(*) from evervec.job_receipt where finished_at < now() - interval '1 day'"

    with running(service):
        until(lambda: service.value(old) == 0)
        left = backlog(service)

    assert left > 0.05


GRANTS = """
    grant usage on schema evervec to {0};
    grant select on evervec.status to {0};
    grant execute on function evervec.claim_jobs, evervec.complete_jobs, evervec.fail_jobs,
          evervec.release_jobs, evervec.extend_lease, evervec.log_batch, evervec.tick,
          evervec.maintain, evervec.pending, evervec.get_source, evervec.get_model,
          evervec.index_of, evervec.running_build, evervec.vector_indexes,
          evervec.estimated_rows, evervec.archived_rows,
          evervec.due_indexes to {0};
    alter role {0} login password '{0}';
"""


def test_peer_26_a_worker_that_may_not_build_goes_on_and_alerts_tell(
    service: Service,
    superuser_conn: psycopg.Connection,
    cluster: clusters.Cluster,
    database: clusters.Database,
    caplog: pytest.LogCaptureFixture,
) -> None:
    service.conn.execute("update evervec.setting set value = '50' where name ~ 'without_index'")
    service.track(rows=ROWS)
    with role(superuser_conn) as name, caplog.at_level("WARNING", "evervec"):
        superuser_conn.execute(GRANTS.format(name).encode())
        with Database(cluster.url(database.name, name)) as db:
            summary = Worker(db, service.providers, service.config).drain()
            with running(service, db):
                service.conn.execute("update note set title = 'y' where id = 1")
                until(lambda: db.pending("note").total == 0)
                until(lambda: caplog.text.count("index_not_permitted") == 2)
        service.conn.execute("analyze note_embedding")

    (alert,) = service.db.alerts()
    assert (summary.embedded, alert.alert) == (50, "index not built")
    service.conn.execute(alert.remedy.encode())
    assert service.db.alerts() == []


def test_the_memory_of_a_build_is_that_of_its_connection_and_too_little_is_told(
    service: Service, url: str, caplog: pytest.LogCaptureFixture
) -> None:
    service.track(rows=[(i, f"row {i}", "x") for i in range(3000)])
    service.worker().drain()
    service.conn.execute("drop index note_embedding_embedding_idx")
    little = f"{url}&options=-c%20maintenance_work_mem%3D1MB"

    with Database(little) as db, caplog.at_level("WARNING", "evervec"):
        assert index.build(db, "note")

    (notice,) = [record for record in caplog.records if record.message == "index_notice"]
    assert "maintenance_work_mem" in str(vars(notice)["fields"])


def test_a_build_that_failed_is_not_tried_again_by_the_same_worker(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[str] = []

    def fail(statement: str) -> None:
        tried.append(statement)
        raise EvervecError("could not resize shared memory segment", sqlstate="53100")

    monkeypatch.setattr(service.db, "execute_index_statement", fail)
    service.track(rows=ROWS)
    service.batch()
    while service.batch().claimed:
        pass
    builder = index.IndexBuilder(service.db)

    for _ in range(3):
        builder.start_due()
        if builder._thread is not None:
            builder._thread.join(timeout=20)

    assert len(tried) == 1


def test_two_workers_that_begin_to_build_at_once_end_with_one_index(service: Service) -> None:
    service.track(rows=ROWS)
    while service.batch().claimed:
        pass
    errors: list[Exception] = []

    def build() -> None:
        try:
            while service.db.status()[0].index_state != "valid":
                index.build(service.db, "note")
        except EvervecError as error:
            errors.append(error)

    threads = [threading.Thread(target=build) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=20)

    assert errors == []
    assert service.db.status()[0].index_state == "valid"
