"""What a batch cost each of its sources: with a provider that counts, on a real queue."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from evervec.db import Database
from evervec.errors import EvervecError
from evervec.ledger import Ledger
from evervec.providers import ProviderError
from evervec.records import ClaimedJob, Outcome
from evervec.texts import Text
from tests.support.sql_worker import rows
from tests.webhook.conftest import Service, poisoned_by


def job(number: int, source: str, state: str = "embed") -> ClaimedJob:
    return ClaimedJob(number, source, "embed", 0, state, "x", b"", "m")


def tokens(ledger: Ledger, *jobs: ClaimedJob) -> dict[str, tuple[int, int]]:
    """Source → requests, tokens."""
    return {of["source"]: (of["requests"], of["tokens"]) for of in ledger.counts(jobs)}


def test_the_tokens_of_a_request_are_divided_by_the_length_of_the_texts() -> None:
    ledger, mine, yours = Ledger(), job(1, "mine"), job(2, "yours")

    ledger.asked([Text("x" * 40, (mine,)), Text("x" * 120, (yours,))], 101)

    assert tokens(ledger, mine, yours) == {"mine": (0, 25), "yours": (1, 76)}


def test_a_text_of_two_sources_is_paid_for_by_both() -> None:
    ledger, mine, yours = Ledger(), job(1, "mine"), job(2, "yours")

    ledger.asked([Text("x" * 400, (mine, yours))], 11)

    shared = tokens(ledger, mine, yours)
    assert sorted(paid for _, paid in shared.values()) == [5, 6]
    assert sum(requests for requests, _ in shared.values()) == 1


@pytest.mark.parametrize("counted", [0, 1, 7, 999_999])
def test_no_token_is_lost_or_doubled_by_rounding(counted: int) -> None:
    ledger, jobs = Ledger(), [job(n, f"source {n}") for n in range(13)]

    ledger.asked([Text("x" * (7 * n + 1), (jobs[n],)) for n in range(13)], counted)

    shares = [paid for _, paid in tokens(ledger, *jobs).values()]
    assert sum(shares) == counted
    assert min(shares) >= 0


def batch_log(service: Service) -> dict[str, tuple[int, ...]]:
    """Source → claimed, embedded, cached, unchanged, failed, requests, tokens, of all batches."""
    found = rows(
        service.conn,
        "select source, sum(claimed)::int as claimed, sum(embedded)::int as embedded,"
        " sum(cached)::int as cached, sum(unchanged)::int as unchanged, sum(failed)::int as failed,"
        " sum(requests)::int as requests, sum(tokens)::int as tokens"
        " from evervec.batch_log group by source",
    )
    return {row.pop("source"): tuple(row.values()) for row in found}


@pytest.fixture
def two(service: Service) -> Service:
    """Sources note and other, of three rows each; the provider counts a token a text."""
    service.track(rows=[(n, f"title {n}", "body") for n in range(3)])
    service.conn.execute("create table other (id int primary key, a text)")
    service.conn.execute("insert into other select g, 'other ' || g from generate_series(1, 3) g")
    service.db.track("other", columns=["a"], model="words")
    return service


def test_each_source_of_a_batch_has_its_own_counts(two: Service) -> None:
    two.provider.fail = poisoned_by("title 1")

    two.batch()

    logged = batch_log(two)
    assert logged["note"][:5] == (3, 2, 0, 0, 1)
    assert logged["other"][:5] == (3, 3, 0, 0, 0)
    requests, paid = (logged["note"][n] + logged["other"][n] for n in (5, 6))
    assert requests == len(two.provider.batches) > 1
    assert paid == 5
    cost = rows(two.conn, "select source, texts, failed from evervec.cost order by source")
    assert cost == [
        {"source": "note", "texts": 2, "failed": 1},
        {"source": "other", "texts": 3, "failed": 0},
    ]


def test_what_comes_from_the_cache_is_counted_apart(two: Service) -> None:
    two.worker().drain()
    two.conn.execute("truncate evervec.batch_log")
    two.conn.execute("insert into other select 10 + n, 'other ' || n from generate_series(1, 2) n")
    two.conn.execute("insert into other values (20, 'new')")

    two.batch()

    assert batch_log(two) == {"other": (3, 1, 2, 0, 0, 1, 1)}


def test_a_batch_of_rows_that_are_as_they_were_is_recorded(two: Service) -> None:
    two.worker().drain()
    two.conn.execute("truncate evervec.batch_log")
    two.db.enqueue("other", ['{"id": 1}', '{"id": 2}'])

    two.batch()

    assert batch_log(two) == {"other": (2, 0, 0, 2, 0, 0, 0)}


def test_what_was_paid_for_counts_although_the_database_refused_it(
    two: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: Database, *_: object) -> list[Outcome]:
        raise EvervecError("permission denied", sqlstate="42501")

    monkeypatch.setattr(Database, "complete_jobs", refuse)

    with pytest.raises(EvervecError, match="permission denied"):
        two.batch()

    logged = batch_log(two)
    assert [sum(of[n] for of in logged.values()) for n in (1, 4, 5, 6)] == [0, 6, 1, 6]


def test_a_request_without_an_answer_is_counted(two: Service) -> None:
    def busy(_: Sequence[str]) -> None:
        raise ProviderError("server_error", "busy")

    two.provider.fail = busy

    two.batch()

    logged = batch_log(two)
    assert [sum(of[n] for of in logged.values()) for n in (1, 4, 5, 6)] == [0, 6, 1, 0]
