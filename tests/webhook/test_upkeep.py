"""Workers do the upkeep that is due, whichever way they run."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from evervec.worker import Worker
from tests.support.sessions import until
from tests.webhook.conftest import Service
from tests.webhook.test_worker import ROWS, Running


@pytest.fixture
def old_receipts(service: Service) -> Callable[[], int]:
    """Receipts that are past their time, in a database whose upkeep is due; how many there are."""
    service.track(rows=ROWS)
    service.worker().drain()
    service.conn.execute(
        "update evervec.job_receipt set finished_at = now() - interval '2 days';"
        "update evervec.maintenance set ran_at = '-infinity'"
    )
    return lambda: int(service.value("select count(*) from evervec.job_receipt"))


@pytest.mark.parametrize("work", [Worker.drain, Worker.once, Worker.catch_up])
def test_a_worker_that_ends_has_done_the_upkeep(
    service: Service, old_receipts: Callable[[], int], work: Callable[[Worker], object]
) -> None:
    work(service.worker())

    assert old_receipts() == 0


def test_a_running_worker_does_the_upkeep(
    service: Service, old_receipts: Callable[[], int]
) -> None:
    with Running(service):
        until(lambda: old_receipts() == 0)


def test_upkeep_that_fails_is_logged_and_the_work_goes_on(
    service: Service, old_receipts: Callable[[], int], caplog: pytest.LogCaptureFixture
) -> None:
    service.conn.execute("alter table evervec.model_call rename to hidden")
    with caplog.at_level("ERROR", "evervec"), Running(service):
        until(lambda: "upkeep_failed" in caplog.text)
        service.conn.execute("update note set title = 'changed' where id = 1")
        until(lambda: "changed" in service.provider.texts[-1])

    assert old_receipts() > 0
