"""One batch: claim ▸ embed ▸ complete, and every way in which a part of it can fail."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from typing import Any, LiteralString

import numpy as np
import psycopg
import pytest

from evervec import processor as processor_module
from evervec.db import DatabaseUnavailableError
from evervec.errors import EvervecError
from evervec.heartbeat import Heartbeat
from evervec.providers import Embeddings, Kind, ProviderError
from tests.support.migrating import wait_for
from tests.support.openai_server import words_vector
from tests.webhook.conftest import Service, WordsProvider, poisoned_by

ROWS = [(1, "whales", "of the sea"), (2, "a clock", "in Prague"), (3, "samurai", "and swords")]


def test_a_row_becomes_a_vector_that_a_search_finds(service: Service) -> None:
    service.track(rows=ROWS)

    batch = service.batch()

    assert (batch.claimed, batch.embedded, batch.tokens) == (3, 3, 3)
    assert service.nearest("samurai swords", 1) == [3]


def test_nothing_to_do_is_an_empty_batch_without_a_request(service: Service) -> None:
    service.track()

    assert service.batch().claimed == 0
    assert service.provider.batches == []


def test_the_same_text_is_paid_for_once_a_batch(service: Service) -> None:
    service.track(rows=[(i, "twin", "sister") for i in range(10)] + [(99, "other", "text")])

    batch = service.batch()

    assert batch.embedded == 11
    assert len(service.provider.texts) == 2


def test_requests_keep_within_the_models_texts(service: Service) -> None:
    service.track(rows=[(i, f"row {i}", "x") for i in range(10)])
    service.conn.execute("update evervec.model set batch_texts = 4 where name = 'words'")

    service.batch()

    assert [len(texts) for texts in service.provider.batches] == [4, 4, 2]


def test_tokens_that_nobody_counts_are_estimated(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a day's budget would never be spent."""
    embed = service.provider.embed
    monkeypatch.setattr(service.provider, "embed", lambda *given: replace(embed(*given), tokens=0))
    service.track(rows=[(1, "y" * 4000, "x"), (2, "z", "x")])

    assert 1000 < service.batch().tokens < 1100


def test_requests_keep_within_the_models_tokens(service: Service) -> None:
    service.track(rows=[(i, f"{i}" * 400, "x") for i in range(6)])
    service.conn.execute("update evervec.model set batch_tokens = 250 where name = 'words'")

    service.batch()

    assert [len(texts) for texts in service.provider.batches] == [2, 2, 2]


def test_a_text_longer_than_the_models_tokens_is_sent_alone(service: Service) -> None:
    service.track(rows=[(1, "a" * 5000, "x"), (2, "b", "x")])
    service.conn.execute("update evervec.model set batch_tokens = 100 where name = 'words'")

    assert service.batch().embedded == 2


def test_two_models_in_one_batch_are_two_groups(service: Service) -> None:
    service.track(rows=ROWS)
    service.conn.execute("select evervec.add_model('words2', 'words', 32, 'other')")
    service.conn.execute("create table other (id int primary key, a text)")
    service.conn.execute("insert into other values (1, 'x')")
    service.db.track("other", columns=["a"], model="words2")

    batch = service.batch()

    assert batch.embedded == 4
    assert len(service.provider.batches) == 2


def test_no_transaction_is_open_while_the_provider_works(service: Service) -> None:
    seen: list[object] = []

    def look(_: Sequence[str]) -> None:
        seen.append(
            service.value(
                "select count(*) from pg_stat_activity where datname = current_database()"
                " and pid <> pg_backend_pid() and backend_type = 'client backend'"
                " and (xact_start is not null or state <> 'idle')"
            )
        )

    service.provider.fail = look
    service.track(rows=ROWS)

    service.batch()

    assert seen == [0]


def test_peer_13_a_row_in_flight_can_be_deleted_at_once(service: Service) -> None:
    def delete(_: Sequence[str]) -> None:
        service.conn.execute("set statement_timeout = '500ms'")
        service.conn.execute("delete from note where id = 2")

    service.provider.fail = delete
    service.track(rows=ROWS)

    batch = service.batch()

    assert (batch.embedded, batch.vanished) == (2, 1)
    assert service.vectors() == {1, 3}


def test_peer_10_a_row_that_changes_in_flight_keeps_no_stale_vector(service: Service) -> None:
    def change(_: Sequence[str]) -> None:
        service.provider.fail = lambda _: None
        service.conn.execute("update note set title = 'penguins' where id = 1")

    service.provider.fail = change
    service.track(rows=ROWS)

    assert service.batch().superseded == 1
    assert service.vectors() == {2, 3}
    service.worker().drain()
    assert service.nearest("penguins", 1) == [1]


def test_peer_16_a_poison_row_stands_alone_and_the_others_succeed(service: Service) -> None:
    service.track(rows=[(i, "poison" if i == 5 else f"row {i}", "x") for i in range(16)])
    service.provider.fail = poisoned_by("poison")

    batch = service.batch()

    assert (batch.embedded, batch.dead) == (15, 1)
    assert service.value("select row_key ->> 'id' from evervec.dead_letter") == "5"
    assert len(service.provider.batches) <= 2 * math.log2(16) + 1


def test_two_poison_rows_stand_alone_each(service: Service) -> None:
    service.track(rows=[(i, "poison" if i in (0, 15) else f"row {i}", "x") for i in range(16)])
    service.provider.fail = poisoned_by("poison")

    batch = service.batch()

    assert (batch.embedded, batch.dead) == (14, 2)


def test_a_failure_reaches_the_queue_with_class_status_and_wait(service: Service) -> None:
    def refuse(_: Sequence[str]) -> None:
        raise ProviderError(
            "server_error", "busy", status_code=503, retry_after=timedelta(minutes=5)
        )

    service.provider.fail = refuse
    service.track(rows=ROWS)

    batch = service.batch()

    assert batch.retrying == 3
    row = service.conn.execute(
        "select failures -> 0 ->> 'class', (failures -> 0 ->> 'status')::int, attempts,"
        " available_at > now() + interval '4 minutes' from evervec.processing_queue limit 1"
    ).fetchone()
    assert row == ("server_error", 503, 1, True)


@pytest.mark.parametrize("error_class", ["rate_limit", "quota", "auth"])
def test_a_provider_out_of_order_is_not_asked_again_in_the_same_batch(
    service: Service, error_class: str
) -> None:
    def refuse(_: Sequence[str]) -> None:
        raise ProviderError(error_class, "no")  # type: ignore[arg-type]

    service.provider.fail = refuse
    service.track(rows=[(i, f"row {i}", "x") for i in range(10)])
    service.conn.execute("update evervec.model set batch_texts = 2 where name = 'words'")

    batch = service.batch()

    assert len(service.provider.batches) == 1
    assert (batch.retrying, batch.released) == (2, 8)


def test_an_auth_error_is_handed_up_and_costs_no_attempt(service: Service) -> None:
    def refuse(_: Sequence[str]) -> None:
        raise ProviderError("auth", "wrong key", status_code=401)

    service.provider.fail = refuse
    service.track(rows=ROWS)

    batch = service.batch()

    assert batch.setup_error is not None
    assert service.value("select max(attempts) from evervec.processing_queue") == 0


@pytest.mark.parametrize("value", [math.nan, 0.0])
def test_peer_22_one_unusable_vector_costs_its_row_only(service: Service, value: float) -> None:
    class Broken(WordsProvider):
        def embed(self, texts: Sequence[str], kind: Kind) -> Embeddings:
            answer = super().embed(texts, kind)
            answer.vectors[1] = value
            return answer

    broken = Broken()
    service.providers.register("words", lambda *_, **__: broken)
    service.track(rows=ROWS)

    batch = service.batch()

    assert (batch.embedded, batch.retrying) == (2, 1)


def test_vectors_of_another_length_fail_as_an_invalid_response(service: Service) -> None:
    service.provider.dimensions = 7
    service.track(rows=ROWS)

    batch = service.batch()

    assert batch.retrying == 3
    assert "invalid_response" in str(service.value("select failures from evervec.processing_queue"))


def test_a_stop_in_the_middle_finishes_the_request_and_releases_the_rest(service: Service) -> None:
    service.provider.fail = lambda _: service.stop.set()
    service.track(rows=[(i, f"row {i}", "x") for i in range(6)])
    service.conn.execute("update evervec.model set batch_texts = 2 where name = 'words'")

    batch = service.batch()

    assert (batch.embedded, batch.released) == (2, 4)
    assert (
        service.value("select count(*) from evervec.processing_queue where status = 'pending'") == 4
    )


def test_a_fault_of_the_program_releases_what_it_holds(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(*_: object) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(service.providers, "embed", crash)
    service.track(rows=ROWS)

    with pytest.raises(RuntimeError):
        service.batch()

    assert (
        service.value("select count(*) from evervec.processing_queue where status = 'pending'") == 3
    )


@pytest.mark.parametrize(
    "statements",
    [
        ["delete from note where id = 2"],
        ["update note set id = 22 where id = 2"],
        # Here PostgreSQL waits although it was told to skip: the batch is halved instead.
        ["update note set seen = 1 where id = 2", "delete from note where id = 2"],
    ],
)
def test_a_row_that_a_user_holds_is_left_for_later_and_the_others_succeed(
    service: Service, url: str, statements: list[LiteralString]
) -> None:
    service.track(rows=ROWS)
    with psycopg.connect(url) as user:
        for statement in statements:
            user.execute(statement)

        batch = service.batch()

        assert (batch.embedded, batch.released) == (2, 1)
        user.rollback()
    service.worker().drain()
    assert service.vectors() == {1, 2, 3}


def test_a_table_locked_at_complete_costs_no_attempt(service: Service, url: str) -> None:
    with psycopg.connect(url) as user:

        def lock(_: Sequence[str]) -> None:
            user.execute("lock table note_embedding")

        service.provider.fail = lock
        service.track(rows=ROWS)

        batch = service.batch()

        assert (batch.embedded, batch.released) == (0, 3)
    service.provider.fail = lambda _: None
    service.worker().drain()
    assert service.vectors() == {1, 2, 3}
    assert service.value("select max(attempts) from evervec.job_receipt") == 0


def test_a_connection_lost_at_complete_loses_no_vector(
    service: Service, superuser_conn: psycopg.Connection
) -> None:
    def hang_up(_: Sequence[str]) -> None:
        superuser_conn.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity"
            " where application_name = 'evervec' and datname = current_database()"
        )

    service.provider.fail = hang_up
    service.track(rows=ROWS)

    assert service.batch().embedded == 3


def test_vectors_wait_for_a_database_that_is_away(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    complete, calls = service.db.complete_jobs, []

    def flaky(*arguments: object) -> object:
        calls.append(arguments)
        if len(calls) < 3:
            raise DatabaseUnavailableError("away")
        return complete(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(service.db, "complete_jobs", flaky)
    service.track(rows=ROWS)

    assert service.batch().embedded == 3


def test_a_missing_privilege_is_raised_and_nothing_is_lost(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> object:
        raise EvervecError("permission denied for table note_embedding", sqlstate="42501")

    monkeypatch.setattr(service.db, "complete_jobs", refuse)
    service.track(rows=ROWS)

    with pytest.raises(EvervecError, match="permission denied"):
        service.batch()

    assert (
        service.value("select count(*) from evervec.processing_queue where status = 'pending'") == 3
    )


def test_a_value_that_the_column_cannot_hold_costs_its_row_only(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    complete = service.db.complete_jobs

    def narrow(lease: object, job_ids: Sequence[int], *rest: object) -> object:
        if bad & set(job_ids):
            raise EvervecError("value out of range", sqlstate="22003")
        return complete(lease, job_ids, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(service.db, "complete_jobs", narrow)
    service.track(rows=[(i, f"row {i}", "x") for i in range(8)])
    service.conn.execute("select from evervec.tick()")
    bad: set[int] = set()

    def choose(_: Sequence[str]) -> None:
        bad.add(int(service.value("select max(job_id) from evervec.processing_queue")))

    service.provider.fail = choose

    batch = service.batch()

    assert (batch.embedded, batch.retrying) == (7, 1)


def test_a_lease_that_ran_out_in_flight_discards_the_result(service: Service) -> None:
    def steal(_: Sequence[str]) -> None:
        service.conn.execute("update evervec.processing_queue set lease_expires_at = now()")
        service.conn.execute("select pg_sleep(0.01); select from evervec.tick()")

    service.provider.fail = steal
    service.track(rows=ROWS)

    batch = service.batch()

    assert (batch.embedded, batch.lost) == (0, 3)
    assert service.vectors() == set()


def test_a_call_longer_than_its_lease_keeps_it(service: Service) -> None:
    expired: list[object] = []

    def dawdle(_: Sequence[str]) -> None:
        time.sleep(2.5)
        expired.append(service.value("select reclaimed from evervec.tick()"))

    service.provider.fail = dawdle
    service.track(rows=ROWS)

    batch = service.batch(lease_seconds=1.0)

    assert (batch.embedded, batch.lost, expired) == (3, 0, [0])


def test_a_lease_that_is_lost_stops_the_batch_before_it_is_paid_for(
    service: Service, caplog: pytest.LogCaptureFixture
) -> None:
    def steal(_: Sequence[str]) -> None:
        service.conn.execute(
            "update evervec.processing_queue set lease_token = gen_random_uuid()"
            " where status = 'processing'"
        )
        time.sleep(0.7)

    service.provider.fail = steal
    service.track(rows=[(i, f"row {i}", "x") for i in range(6)])
    service.conn.execute("update evervec.model set batch_texts = 2 where name = 'words'")

    with caplog.at_level("INFO", "evervec"):
        batch = service.batch(lease_seconds=1.0)

    assert (len(service.provider.batches), batch.lost) == (1, 6)
    assert {"lease_lost", "result_discarded"} <= {record.message for record in caplog.records}


def test_a_worker_that_was_asleep_asks_for_its_lease_before_it_pays(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    def expire(_: Sequence[str]) -> None:
        service.conn.execute("update evervec.processing_queue set lease_expires_at = now()")
        service.conn.execute("select pg_sleep(0.01); select from evervec.tick()")
        time.sleep(0.8)

    monkeypatch.setattr(Heartbeat, "_beat", lambda *_: None)
    service.provider.fail = expire
    service.track(rows=[(i, f"row {i}", "x") for i in range(4)])
    service.conn.execute("update evervec.model set batch_texts = 1 where name = 'words'")

    batch = service.batch(lease_seconds=1.0)

    assert (len(service.provider.batches), batch.lost) == (1, 4)


def test_a_stuck_process_lets_its_lease_go(service: Service) -> None:
    service.track(rows=ROWS)
    lease = timedelta(seconds=1)
    claim = service.db.claim_jobs(10, lease, "stuck")
    assert claim is not None
    heartbeat = Heartbeat(replace(service.config, lease_seconds=1.0), stuck_seconds=0.5)

    with heartbeat.keeping(claim.lease_token, time.monotonic()):
        wait_for(lambda: service.value("select reclaimed from evervec.tick()") == 3)


def test_a_service_in_trouble_is_asked_twice_a_batch_at_most(service: Service) -> None:
    def refuse(_: Sequence[str]) -> None:
        raise ProviderError("timeout", "no answer")

    service.provider.fail = refuse
    service.track(rows=[(i, f"row {i}", "x") for i in range(10)])
    service.conn.execute("update evervec.model set batch_texts = 2 where name = 'words'")

    batch = service.batch()

    assert (len(service.provider.batches), batch.retrying, batch.released) == (2, 4, 6)


def test_another_workers_pause_is_seen_before_the_next_request(service: Service) -> None:
    def pause(_: Sequence[str]) -> None:
        service.conn.execute(
            "update evervec.model set paused_until = now() + interval '1 minute'"
            " where name = 'words'"
        )

    service.provider.fail = pause
    service.track(rows=[(i, f"row {i}", "x") for i in range(6)])
    service.conn.execute("update evervec.model set batch_texts = 2 where name = 'words'")

    batch = service.batch()

    assert (len(service.provider.batches), batch.embedded, batch.released) == (1, 2, 4)


def refuse_longer_than(characters: int) -> Callable[[Sequence[str]], None]:
    def refuse(texts: Sequence[str]) -> None:
        if any(len(text) > characters for text in texts):
            raise ProviderError("bad_input", "too long", status_code=400, too_long=True)

    return refuse


def test_a_text_that_the_provider_finds_too_long_is_halved_until_it_passes(
    service: Service,
) -> None:
    service.provider.fail = refuse_longer_than(300)
    service.track("{title}", rows=[(1, "x" * 2000, ""), *ROWS[1:]])

    batch = service.batch()

    assert (batch.embedded, batch.dead) == (3, 0)
    assert max(map(len, service.provider.batches[-2] + service.provider.batches[-1])) <= 300


def test_a_text_that_stays_too_long_is_given_up(service: Service) -> None:
    service.provider.fail = refuse_longer_than(1)
    service.track("{title}", rows=[(1, "x" * 4000, "")])

    batch = service.batch()

    assert (batch.dead, len(service.provider.batches)) == (1, 5)


def test_slices_shrink_when_they_take_long_and_grow_when_they_are_quick(service: Service) -> None:
    processor = service.processor()

    processor._adapt(processor_module.SLICE_START, 0.1)
    assert processor._slice == processor_module.SLICE_START // 2
    for _ in range(20):
        processor._adapt(processor._slice, 0.1)
    assert processor._slice == processor_module.SLICE_LEAST
    for _ in range(20):
        processor._adapt(processor._slice, 0.001)
    assert processor._slice == processor_module.SLICE_MOST


def test_the_batch_is_recorded_with_its_counts(service: Service) -> None:
    service.track(rows=ROWS)

    service.batch()

    row = service.conn.execute(
        "select worker, source, model, claimed, embedded, tokens, embed_ms > 0"
        " from evervec.batch_log"
    ).fetchone()
    assert row == ("test", "note", "words", 3, 3, 3, True)


def test_a_batch_that_cannot_be_recorded_is_no_failure(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(**_: object) -> None:
        raise EvervecError("disk full")

    monkeypatch.setattr(service.db, "log_batch", refuse)
    service.track(rows=ROWS)

    assert service.batch().embedded == 3


def test_no_text_and_no_message_of_the_provider_is_logged(
    service: Service, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(texts: Sequence[str]) -> None:
        raise ProviderError("bad_input", f"I do not like: {texts[0]}")

    service.provider.fail = refuse
    service.track(rows=[(1, "secret whales", "x")])

    with caplog.at_level("DEBUG", "evervec"):
        service.batch()

    logged = [str(vars(record)) for record in caplog.records]
    assert any("embed_failed" in line for line in logged)
    assert not any("secret" in line for line in logged)


def test_vectors_arrive_bit_for_bit(service: Service) -> None:
    service.track(rows=ROWS[:1])

    service.batch()

    stored = service.value("select embedding::text from note_embedding where id = 1")
    numbers = [float(number) for number in stored.strip("[]").split(",")]
    np.testing.assert_array_equal(
        np.array(numbers, dtype=np.float32), words_vector(service.provider.texts[0])
    )


# -- the cache, the limits -----------------------------------------------------------------------


def test_what_is_cached_costs_no_request(service: Service) -> None:
    service.track(rows=ROWS)
    service.batch()
    before = list(service.provider.batches)
    service.db.track("note", columns=["title", "body"], model="words", name="again")
    service.conn.execute("insert into note values (4, 'new', 'text', 0)")

    batch = service.batch()

    assert (batch.claimed, batch.cached, batch.embedded) == (5, 3, 2)
    assert len(service.provider.batches) == len(before) + 1
    assert service.value("select percent from evervec.coverage('again')") == 100


def test_what_was_forgotten_since_the_claim_is_embedded_by_the_next_batch(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    service.track(rows=ROWS)
    service.batch()
    service.conn.execute("select evervec.reset('note')")
    claim_jobs = service.db.claim_jobs

    def claim_and_forget(*args: Any, **options: Any) -> Any:
        claim = claim_jobs(*args, **options)
        service.conn.execute("select evervec.cache_delete()")
        return claim

    monkeypatch.setattr(service.db, "claim_jobs", claim_and_forget)

    batch = service.batch()

    assert (batch.cached, batch.released, batch.retrying) == (0, 3, 0)
    assert service.batch().embedded == 3


def test_a_limited_model_is_asked_before_each_request(service: Service) -> None:
    service.track(rows=[(i, f"row {i}", "x") for i in range(6)])
    service.conn.execute("update evervec.setting set value = '\"1 s\"' where name = 'rate_window'")
    service.conn.execute(
        "update evervec.model set batch_texts = 2, requests_per_minute = 1 where name = 'words'"
    )
    times: list[float] = []
    service.provider.fail = lambda _: times.append(time.monotonic())

    assert service.batch().embedded == 6

    assert [later - sooner >= 1 for sooner, later in pairwise(times)] == [True, True]
    open_calls = "select count(*) from evervec.model_call where finished_at is null"
    assert service.value(open_calls) == 0
    assert service.value("select tokens from evervec.model_call") == 2


def test_a_poison_row_of_a_model_with_one_request_at_a_time_stands_alone(service: Service) -> None:
    service.track(rows=[(i, "poison" if i == 2 else f"row {i}", "x") for i in range(4)])
    service.conn.execute("update evervec.model set concurrent_requests = 1 where name = 'words'")
    service.provider.fail = poisoned_by("poison")

    batch = service.batch()

    assert (batch.embedded, batch.dead) == (3, 1)


def test_what_the_limits_do_not_allow_in_time_goes_back(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processor_module, "_LIMIT_PATIENCE_SECONDS", 0.2)
    service.track(rows=[(i, f"row {i}", "x") for i in range(6)])
    service.conn.execute(
        "update evervec.model set batch_texts = 2, requests_per_minute = 1 where name = 'words'"
    )

    batch = service.batch()

    assert (batch.embedded, batch.released) == (2, 4)
    assert service.value("select max(attempts) from evervec.processing_queue") == 0


def test_while_the_limits_allow_nothing_nobody_is_given_rows_of_the_model(
    service: Service,
) -> None:
    service.track(rows=[(i, f"row {i}", "x") for i in range(6)])
    service.conn.execute(
        "update evervec.model set batch_texts = 2, requests_per_minute = 1 where name = 'words'"
    )
    service.batch()

    assert service.batch().claimed == 0
    service.conn.execute("update evervec.model set full_until = now()")
    assert service.batch().claimed == 4


def test_a_stop_is_heeded_while_a_request_waits(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processor_module, "_LIMIT_PATIENCE_SECONDS", 90.0)
    service.track(rows=[(i, f"row {i}", "x") for i in range(4)])
    service.conn.execute(
        "update evervec.model set batch_texts = 2, requests_per_minute = 1 where name = 'words'"
    )
    threading.Timer(0.5, service.stop.set).start()
    started = time.monotonic()

    batch = service.batch()

    assert (batch.embedded, batch.released) == (2, 2)
    assert time.monotonic() - started < 5
