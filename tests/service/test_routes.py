"""What each route answers, and what it does."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest

from evervec.providers import ErrorClass, ProviderError
from tests.service.conftest import CRON_SECRET, Webhook
from tests.support.openai_server import words_vector


def embed_all(webhook: Webhook) -> None:
    assert webhook.post("/process", {}).json["processed"] == 10


# -- work --------------------------------------------------------------------------------------


def test_process_works_now_and_counts(webhook: Webhook) -> None:
    first = webhook.post("/process", {"jobs": 4})
    second = webhook.post("/process", {"jobs": 50, "sources": ["note"]})

    assert first.status_code == 200
    assert (first.json["processed"], first.json["generated"]) == (4, 4)
    assert second.json["generated"] == 6
    assert webhook.rows("select count(*) from note_embedding") == [(10,)]
    assert webhook.post("/process", {}).json["processed"] == 0


def test_process_ends_when_its_seconds_are_over(webhook: Webhook) -> None:
    done = webhook.post("/process", {"jobs": 50, "seconds": 1e-9})

    assert (done.status_code, done.json["generated"]) == (200, 0)
    assert webhook.rows(
        "select count(*) from evervec.processing_queue where lease_token is not null"
    ) == [(0,)]


def test_failures_are_counted_as_errors(webhook: Webhook) -> None:
    def refuse(texts: object) -> None:
        raise RuntimeError("no")

    webhook.provider.fail = refuse

    done = webhook.post("/process", {})

    assert (done.json["processed"], done.json["errors"], done.json["retried"]) == (10, 10, 10)


# -- generate ----------------------------------------------------------------------------------


def test_generate_makes_what_is_missing_in_batches(webhook: Webhook) -> None:
    first = webhook.post("/sources/note/generate", {"batch_size": 6}).json
    second = webhook.post("/sources/note/generate", {"batch_size": 6, "after": first["next"]}).json

    assert (first["queued"], first["generated"]) == (6, 6)
    assert (second["queued"], second["generated"], second["next"]) == (4, 4, None)
    assert webhook.post("/sources/note/generate", {}).json["queued"] == 0


def test_generate_takes_keys_in_both_forms(webhook: Webhook) -> None:
    done = webhook.post("/sources/note/generate", {"keys": [{"id": 7}, '{"id": 9}']}).json

    assert (done["processed"], done["generated"], done["errors"]) == (2, 2, 0)
    assert webhook.rows("select id from note_embedding order by 1") == [(7,), (9,)]


def test_generate_keeps_to_one_users_library(webhook: Webhook) -> None:
    scope = {"name": "library", "arguments": {"p_owner": "ann"}}

    done = webhook.post("/sources/note/generate", {"scope": scope}).json
    again = webhook.post("/sources/note/generate", {"scope": scope, "missing": False}).json

    assert done["generated"] == 3
    assert webhook.rows("select id from note_embedding order by 1") == [(2,), (3,), (4,)]
    assert (again["processed"], again["unchanged"], again["generated"]) == (3, 3, 0)


def test_generate_tells_what_came_from_the_cache(webhook: Webhook) -> None:
    embed_all(webhook)
    webhook.conn.execute("delete from note_embedding where id = 5")

    done = webhook.post("/sources/note/generate", {}).json

    assert (done["processed"], done["cached"], done["generated"]) == (1, 1, 0)


def test_generate_asks_with_the_profile_of_the_tenant(webhook: Webhook) -> None:
    done = webhook.post("/sources/note/generate", {"batch_size": 3, "tenant": "globex"})
    tokens = webhook.post(
        "/sources/note/generate", {"batch_size": 3}, headers=webhook.token("write", tenant="globex")
    )

    assert [answer.json["generated"] for answer in (done, tokens)] == [3, 3]
    assert [len(texts) for texts in webhook.account.batches] == [3, 3]
    assert webhook.provider.batches == []


def test_nothing_is_queued_for_a_tenant_without_a_profile(webhook: Webhook) -> None:
    refused = webhook.post("/sources/note/generate", {"tenant": "bob"})

    assert (refused.status_code, refused.json["type"]) == (400, "urn:evervec:provider-profile")
    assert webhook.rows("select count(*) from evervec.processing_queue") == [(0,)]


@pytest.mark.parametrize("error_class", ["auth", "quota", "rate_limit", "not_found"])
def test_a_tenant_whose_key_is_refused_stops_nobody_else(
    webhook: Webhook, error_class: ErrorClass
) -> None:
    def refuse(_: Sequence[str]) -> None:
        raise ProviderError(error_class, "not with this key")

    webhook.account.fail = refuse

    refused = webhook.post("/sources/note/generate", {"tenant": "globex"})

    assert refused.json["type"] == f"urn:evervec:provider-{error_class.replace('_', '-')}"
    assert len(webhook.account.batches) == 1
    assert webhook.rows(
        "select count(*), sum(attempts), count(*) filter (where status = 'pending')"
        "  from evervec.processing_queue"
    ) == [(10, 0, 10)]
    assert webhook.post("/sources/note/generate", {}).json["generated"] == 10


# -- embed and search --------------------------------------------------------------------------


def test_texts_are_embedded_once(webhook: Webhook) -> None:
    asked = {"model": "words", "texts": ["a whale", "a ship", "a whale"]}

    first = webhook.post("/embed", asked).json
    second = webhook.post("/embed", asked).json

    assert first["vectors"][0] == pytest.approx(words_vector("a whale").tolist())
    assert first["vectors"] == second["vectors"]
    assert (first["cached"], second["cached"]) == (0, 3)
    assert webhook.provider.batches == [["a whale", "a ship"]]


def test_documents_and_queries_are_kept_apart(webhook: Webhook) -> None:
    for kind in ("query", "document", "document"):
        webhook.post("/embed", {"model": "words", "texts": ["a whale"], "kind": kind})

    assert len(webhook.provider.batches) == 2


def test_search_finds_rows_by_words(webhook: Webhook) -> None:
    embed_all(webhook)

    rows = webhook.post("/search", {"source": "note", "words": "number7", "limit": 2}).json["rows"]
    again = webhook.post("/search", {"source": "note", "words": "number7", "limit": 2}).json["rows"]

    assert rows[0]["key"] == {"id": 7}
    assert rows[0]["row_key"] == '{"id": 7}'
    assert len(rows) == 2
    assert rows[0]["similarity"] > rows[1]["similarity"]
    assert again == rows
    assert webhook.provider.texts.count("number7") == 1


def test_search_takes_a_filter_and_a_threshold(webhook: Webhook) -> None:
    embed_all(webhook)
    query = {
        "source": "note",
        "words": "number7 number3",
        "filter": {"name": "library", "arguments": {"p_owner": "ann"}},
    }

    rows = webhook.post("/search", query).json["rows"]
    close = webhook.post("/search", query | {"min_similarity": rows[0]["similarity"]}).json["rows"]

    assert sorted(row["key"]["id"] for row in rows) == [2, 3, 4]
    assert [row["key"]["id"] for row in close] == [3]


def test_a_tenant_without_a_profile_is_refused(webhook: Webhook) -> None:
    asked = {"model": "words", "texts": ["a whale"]}
    query = {"source": "note", "words": "a whale"}

    for refused in (
        webhook.post("/embed", asked | {"tenant": "bob"}),
        webhook.post("/search", query | {"tenant": "bob"}),
        webhook.post("/embed", asked, headers=webhook.token("read", tenant="bob")),
    ):
        assert refused.status_code == 400
        assert refused.mimetype == "application/problem+json"
        assert refused.json["type"] == "urn:evervec:provider-profile"
        assert "EVERVEC_PROFILES" in refused.json["hint"]
    assert webhook.post("/embed", asked | {"tenant": "alice"}).status_code == 200


def test_a_token_speaks_for_its_tenant_only(webhook: Webhook) -> None:
    asked = {"model": "words", "texts": ["a whale"]}
    alice = webhook.token("read", tenant="alice")

    assert webhook.post("/embed", asked | {"tenant": "alice"}, headers=alice).status_code == 200
    refused = webhook.post("/embed", asked | {"tenant": "carol"}, headers=alice)

    assert (refused.status_code, refused.json["type"]) == (403, "urn:evervec:tenant")


# -- sources -----------------------------------------------------------------------------------


def test_sources_are_listed(webhook: Webhook) -> None:
    (source,) = webhook.get("/sources").json["sources"]

    assert (source["source"], source["model"], source["dead"]) == ("note", "words", 0)


def test_status_tells_coverage_queue_rate_and_time_left(webhook: Webhook) -> None:
    webhook.post("/process", {"jobs": 4})

    estimate = webhook.get("/sources/note/status").json
    exact = webhook.get("/sources/note/status?coverage=exact").json

    assert exact["coverage"] == {
        "source": "note",
        "total": 10,
        "embedded": 4,
        "archived": 0,
        "missing": 6,
        "percent": 40.0,
    }
    assert set(estimate["coverage"]) == set(exact["coverage"])
    assert exact["queue"]["rows_a_minute"] > 0
    assert exact["queue"]["eta"].startswith("PT")


# -- jobs and dead letters ---------------------------------------------------------------------


def test_jobs_are_queued_in_bulk_and_followed(webhook: Webhook) -> None:
    webhook.conn.execute("select evervec.pause('note')")
    keys = [{"id": 1}, {"id": 2}]

    queued = webhook.post("/jobs/bulk", {"source": "note", "keys": keys, "metadata": {"a": 1}})
    (first, _) = queued.json["jobs"]
    job = webhook.get(f"/jobs/{first['id']}").json

    assert queued.status_code == 202
    assert (queued.json["queued"], first["status"]) == (2, "queued")
    assert (job["state"], job["row_key"], job["metadata"]["a"]) == ("queued", '{"id": 1}', 1)
    assert job["metadata"]["triggered_by"] == "webhook"


def bury(webhook: Webhook, *ids: int) -> None:
    """The notes of these ids give up."""
    webhook.conn.execute("update evervec.retry_policy set max_attempts = 1, costs_attempt = true")
    webhook.provider.fail = lambda _: (_ for _ in ()).throw(RuntimeError("no"))
    for number in ids:
        webhook.post("/sources/note/generate", {"keys": [{"id": number}]})
    webhook.provider.fail = lambda _: None


def test_dead_letters_are_paged_and_counted(webhook: Webhook) -> None:
    bury(webhook, 1, 2, 3)

    first = webhook.get("/dead-letters?limit=2&source=note&error_class=server_error").json
    second = webhook.get(f"/dead-letters?limit=2&before={first['next']}").json

    assert [json.loads(letter["row_key"])["id"] for letter in first["letters"]] == [3, 2]
    assert [json.loads(letter["row_key"])["id"] for letter in second["letters"]] == [1]
    assert second["next"] is None
    assert first["statistics"]["open"] == 3
    assert webhook.get("/dead-letters?state=resolved").json["letters"] == []


def test_a_dead_letter_is_tried_anew(webhook: Webhook) -> None:
    bury(webhook, 1)
    (letter,) = webhook.get("/dead-letters").json["letters"]

    retried = webhook.post(f"/dead-letters/{letter['dead_letter_id']}/retry")

    assert (retried.status_code, retried.json["status"]) == (202, "queued")
    assert webhook.get("/dead-letters").json["letters"] == []


def test_a_dead_letter_is_settled_by_the_token(webhook: Webhook) -> None:
    bury(webhook, 1)
    (letter,) = webhook.get("/dead-letters").json["letters"]
    path = f"/dead-letters/{letter['dead_letter_id']}/resolve"

    done = webhook.post(path, {"note": "not to be searched"})
    again = webhook.post(path, {})

    assert done.json == {"resolved": letter["dead_letter_id"]}
    (letter,) = webhook.get("/dead-letters?state=resolved").json["letters"]
    assert (letter["resolved_by"], letter["note"]) == ("admin", "not to be searched")
    assert (again.status_code, again.json["sqlstate"]) == (404, "VE304")


# -- operations --------------------------------------------------------------------------------


def test_alerts_are_listed_with_their_remedy(webhook: Webhook) -> None:
    webhook.conn.execute("update evervec.setting set value = '0' where name = 'alert_dead_letters'")
    bury(webhook, 1)

    (alert,) = [a for a in webhook.get("/alerts").json["alerts"] if a["alert"] == "dead letters"]

    assert alert["source"] == "note"
    assert alert["remedy"].startswith("select")


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_scheduler_ticks_with_its_own_secret(webhook: Webhook, method: str) -> None:
    webhook.conn.execute("update note set body = 'changed' where id = 1")

    ticked: Any = webhook.client.open(
        "/v1/cron/tick", method=method, headers={"Authorization": f"Bearer {CRON_SECRET}"}
    )

    assert (ticked.status_code, ticked.json["folded"]) == (200, 1)
    refused = webhook.client.open("/v1/cron/tick", method=method, headers=webhook.headers)
    assert refused.status_code == 401


def test_ready_is_who_can_work(webhook: Webhook) -> None:
    assert webhook.get("/readyz").json == {"status": "ok"}

    webhook.conn.execute("delete from evervec.schema_version where migration_id like '%0002%'")
    behind = webhook.get("/readyz")

    assert (behind.status_code, behind.json["type"]) == (503, "urn:evervec:migrations")
    assert behind.json["hint"] == "Run: evervec migrate"


def test_a_model_without_a_key_is_not_ready(
    webhook: Webhook, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    webhook.conn.execute("update evervec.model set provider = 'openai' where name = 'words'")

    behind = webhook.get("/readyz")

    assert (behind.status_code, behind.json["type"]) == (503, "urn:evervec:provider-auth")
    assert "OPENAI_API_KEY" in behind.json["title"]


def test_metrics_are_of_all_workers(webhook: Webhook) -> None:
    webhook.post("/process", {"jobs": 4})
    webhook.conn.execute("update evervec.spending set tokens = 7, cost = 0.5")

    found = webhook.get("/metrics")

    assert found.mimetype == "text/plain"
    lines = found.text.splitlines()
    for line in (
        'evervec_processed_rows_total{model="words",result="generated",source="note"} 4.0',
        'evervec_tokens_total{model="words",source="note"} 7.0',
        'evervec_cost_total{model="words",source="note"} 0.5',
        'evervec_jobs{source="note",state="processing"} 0.0',
        'evervec_jobs{source="note",state="dead"} 0.0',
    ):
        assert line in lines
    assert any(
        line.startswith('evervec_row_seconds{source="note",stage="embed"}') for line in lines
    )
