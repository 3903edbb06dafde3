"""Errors are problem documents: the same SQLSTATE, DETAIL and HINT as in psql, and no traceback."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from evervec.providers import Embeddings
from tests.service.conftest import Webhook
from tests.support.openai_server import DIMENSIONS, words_vector


@pytest.mark.parametrize(
    ("path", "body", "status", "kind"),
    [
        ("/search", {"source": "nowhere", "words": "x"}, 404, "VE101"),
        ("/embed", {"model": "nobody", "texts": ["x"]}, 404, "VE108"),
        ("/sources/note/generate", {"scope": {"name": "mine"}}, 404, "VE208"),
        ("/sources/note/generate", {"scope": {"name": "library"}}, 400, "VE111"),
        ("/sources/note/generate", {"keys": [{"no": 1}]}, 400, "VE202"),
        ("/jobs/bulk", {"source": "note", "keys": ["{"]}, 400, "22P02"),
        ("/jobs/bulk", {"source": "note", "keys": ["\x00"]}, 400, "22021"),
        ("/dead-letters/999/retry", None, 404, "VE304"),
    ],
)
def test_what_the_database_refuses_is_told(
    webhook: Webhook, path: str, body: Any, status: int, kind: str
) -> None:
    refused = webhook.post(path, body)

    assert (refused.status_code, refused.mimetype) == (status, "application/problem+json")
    assert refused.json["type"] == f"urn:evervec:{kind}"
    assert refused.json["status"] == status
    assert refused.json["sqlstate"] == kind
    if kind.startswith("VE"):
        assert refused.json["title"]
        assert refused.json["detail"]
        assert refused.json["hint"]


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("/search", {"source": "note"}, "words"),
        ("/search", {"source": "note", "words": " "}, "words"),
        ("/search", {"source": "note", "words": "x", "limit": "10"}, "limit"),
        ("/search", {"source": "note", "words": "x", "user": "ann"}, "user"),
        ("/embed", {"model": "words", "texts": ["x", "\x00"]}, "texts.1"),
        ("/process", [], ""),
    ],
)
def test_a_request_of_another_shape_is_told_where(
    webhook: Webhook, path: str, body: Any, field: str
) -> None:
    refused = webhook.post(path, body)

    assert (refused.status_code, refused.json["type"]) == (422, "urn:evervec:request")
    assert refused.json["errors"][0]["field"] == field


def test_a_body_that_is_no_json_is_refused(webhook: Webhook) -> None:
    refused = webhook.client.post("/v1/process", data="{", headers=webhook.headers)

    assert refused.status_code == 422


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/embed", {"model": "words", "texts": ["x"] * 6}),
        ("/process", {"jobs": 101}),
        ("/sources/note/generate", {"batch_size": 101}),
        ("/sources/note/generate", {"keys": [{"id": 1}] * 101}),
        ("/jobs/bulk", {"source": "note", "keys": [{"id": 1}] * 101}),
    ],
)
def test_more_than_is_allowed_in_one_request_is_refused(
    webhook: Webhook, path: str, body: Any
) -> None:
    refused = webhook.post(path, body)

    assert (refused.status_code, refused.json["type"]) == (413, "urn:evervec:too-much")
    assert "EVERVEC_MAX_" in refused.json["hint"]


def test_a_large_body_is_refused(webhook: Webhook) -> None:
    text = "x" * (webhook.state.config.max_body + 1)

    refused = webhook.post("/search", {"source": "note", "words": text})

    assert (refused.status_code, refused.json["title"]) == (413, "Request Entity Too Large")


def test_what_is_not_there_and_what_is_not_done_are_problems(webhook: Webhook) -> None:
    nowhere = webhook.get("/nowhere")
    wrong = webhook.get("/process")

    assert (nowhere.status_code, nowhere.json["type"]) == (404, "about:blank")
    assert (wrong.status_code, wrong.json["type"]) == (405, "about:blank")
    assert "POST" in wrong.headers["Allow"]


def test_an_unknown_job_is_not_found(webhook: Webhook) -> None:
    unknown = webhook.get("/jobs/999999")

    assert (unknown.status_code, unknown.json["type"]) == (404, "urn:evervec:job")


def test_a_text_that_no_model_can_place_is_the_callers(
    webhook: Webhook, monkeypatch: pytest.MonkeyPatch
) -> None:
    vectors = np.stack([words_vector("a whale"), np.zeros(DIMENSIONS, dtype=np.float32)])
    monkeypatch.setattr(webhook.provider, "embed", lambda *_: Embeddings(vectors))

    refused = webhook.post("/embed", {"model": "words", "texts": ["a whale", "…"]})

    assert (refused.status_code, refused.json["type"]) == (400, "urn:evervec:provider-bad-input")
    assert "text 2" in refused.json["title"]


def test_a_fault_tells_nothing_of_what_was_asked(
    webhook: Webhook, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def break_down(*_: object) -> None:
        raise ValueError("a secret text")

    monkeypatch.setattr(webhook.state.providers, "model_of", break_down)

    fault = webhook.post("/embed", {"model": "words", "texts": ["a secret text"]})

    assert (fault.status_code, fault.json["type"]) == (500, "urn:evervec:fault")
    assert "secret" not in fault.text
    assert "secret" not in str([vars(record) for record in caplog.records])


def test_a_database_that_is_away_is_no_fault(webhook: Webhook) -> None:
    webhook.state._db.close()
    webhook.state._db._conninfo = "postgresql://localhost:1/nowhere"

    assert webhook.get("/healthz", headers={}).status_code == 200
    away = webhook.get("/sources")

    assert (away.status_code, away.json["type"]) == (503, "urn:evervec:database")
