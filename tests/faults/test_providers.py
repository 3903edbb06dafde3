"""Two workers and two providers; and the size of what a provider is sent."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from evervec.providers import estimated_tokens
from tests.faults.stage import Stage, consistent
from tests.support.api import Api, Rules, running_api
from tests.support.migrating import wait_for

ROWS = 40
WAIT = 3.0  # seconds, of Retry-After


@pytest.fixture
def second(stage: Stage, tmp_path: Path) -> Iterator[Api]:
    """The service behind the profile `second`, of which table memo is embedded."""
    folder = tmp_path / "second"
    folder.mkdir()
    with running_api(folder) as api:
        stage.workers.environment["EVERVEC_PROVIDER_SECOND_BASE_URL"] = api.url
        stage.track("memo", model="other", provider="second")
        yield api


def write_memos(stage: Stage) -> None:
    stage.conn.execute(
        "insert into memo select g, 'memo ' || g from generate_series(1, %s) g", [ROWS]
    )


def test_peer_20_the_429_of_one_provider_stalls_only_its_sources_in_every_worker(
    stage: Stage, second: Api
) -> None:
    stage.api.rules(Rules(limited={"wire": WAIT}))
    second.rules(Rules(slow=0.05))
    stage.write(1)  # what is in flight beside a 429 cannot be called back, so: alone
    paused = "select coalesce(max(paused_until) > now(), false) from evervec.model"
    stage.workers.start(EVERVEC_BATCH_SIZE="5", EVERVEC_WORKER_NAME="first")
    wait_for(lambda: bool(stage.value(paused)))
    stage.workers.start(EVERVEC_BATCH_SIZE="5", EVERVEC_WORKER_NAME="second")
    wait_for(lambda: len(stage.lines("started")) == 2)

    stage.write(ROWS, first=2)
    write_memos(stage)
    wait_for(lambda: stage.embedded("memo") == set(range(1, ROWS + 1)))
    assert stage.embedded("note") == set()
    stage.api.rules(Rules())
    stage.wait_until_done()

    # The other's sources went on, in both workers; and neither asked again before its time.
    workers = "select count(distinct worker) from evervec.batch_log where source = 'memo'"
    assert stage.value(workers) == 2
    assert {sent.model for sent in second.journal} == {"other"}
    first, *later = stage.api.journal
    assert first.status == 429
    assert min(sent.at for sent in later) >= first.at + WAIT
    consistent(stage, told="rate_limit")


@pytest.mark.parametrize(
    ("limits", "texts", "tokens"),
    [
        ("batch_texts = 7", 7, 1_000_000),
        ("batch_tokens = 100", ROWS, 100),
        ("batch_texts = 3, batch_tokens = 1000", 3, 1_000),
    ],
)
def test_no_request_has_more_texts_or_tokens_than_its_model_allows(
    stage: Stage, limits: str, texts: int, tokens: int
) -> None:
    stage.conn.execute(f"update evervec.model set {limits} where name = 'wire'".encode())
    stage.conn.execute(
        "insert into note"
        " select g, repeat('word ', 1 + g %% 17) || g from generate_series(1, %s) g",
        [ROWS],
    )

    assert stage.workers.drain() == 0

    sent = stage.api.journal
    assert max(len(request.texts) for request in sent) <= texts
    assert max(sum(map(estimated_tokens, request.texts)) for request in sent) <= tokens
    consistent(stage)
