"""The log of requests: who asked for which route, under an id; nothing that anybody wrote."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from evervec import logs
from tests.service.conftest import Webhook


class Lines:
    """The log as it is written, as JSON."""

    def __init__(self) -> None:
        self.stream = io.StringIO()

    def of(self, event: str) -> list[dict[str, Any]]:
        found = map(json.loads, self.stream.getvalue().splitlines())
        return [line for line in found if line["event"] == event]


@pytest.fixture
def log() -> Iterator[Lines]:
    lines = Lines()
    logs.configure("json", "debug", lines.stream)
    yield lines
    logs.configure("text", "warning")


def test_a_request_is_one_line(webhook: Webhook, log: Lines) -> None:
    answer = webhook.get("/sources/note/status", headers=webhook.token("read"))
    (line,) = log.of("request")
    assert line.pop("time")
    assert line.pop("milliseconds") > 0
    assert line == {
        "level": "info",
        "event": "request",
        "request": answer.headers["X-Request-Id"],
        "method": "GET",
        "route": "/v1/sources/<name>/status",
        "status": 200,
        "token": "read",
    }


def test_a_refused_request_is_one_line_too(webhook: Webhook, log: Lines) -> None:
    webhook.get("/sources", headers={})
    webhook.post("/process", {}, headers=webhook.token("read"))
    webhook.get("/nowhere/at-all", headers={})
    webhook.client.delete("/v1/sources")
    found = [(line.get("route"), line["status"], line.get("token")) for line in log.of("request")]
    assert found == [
        ("/v1/sources", 401, None),
        ("/v1/process", 403, "read"),
        (None, 404, None),
        (None, 405, None),
    ]


def test_every_request_has_an_id_of_its_own(webhook: Webhook) -> None:
    found = {webhook.get("/healthz").headers["X-Request-Id"] for _ in range(3)}
    assert len(found) == 3
    assert all(re.fullmatch("[0-9a-f]{32}", request_id) for request_id in found)


@pytest.mark.parametrize(
    ("given", "kept"),
    [("from-the-proxy.1", True), ("", False), ("a b", False), ("x" * 65, False), ("ä", False)],
)
def test_an_id_of_a_proxy_is_kept_where_it_is_one(webhook: Webhook, given: str, kept: bool) -> None:
    answer = webhook.get("/healthz", headers={"X-Request-Id": given})
    assert (answer.headers["X-Request-Id"] == given) is kept


def test_what_a_request_queued_and_did_has_its_id(webhook: Webhook, log: Lines) -> None:
    headers = {**webhook.headers, "X-Request-Id": "mine"}
    job = webhook.post("/jobs/bulk", {"source": "note", "keys": [{"id": 1}]}, headers=headers)
    (queued,) = log.of("queued")
    assert (queued["request"], queued["source"]) == ("mine", "note")
    assert queued["job_ids"] == [job.json["jobs"][0]["id"]]

    webhook.post("/sources/note/generate", {"keys": [{"id": 2}]}, headers=headers)
    assert [line["request"] for line in log.of("queued")] == ["mine", "mine"]


def test_the_next_request_of_a_thread_has_not_the_id_of_the_former(
    webhook: Webhook, log: Lines
) -> None:
    webhook.get("/healthz", headers={"X-Request-Id": "first"})
    logs.info("between")
    webhook.get("/healthz", headers={"X-Request-Id": "second"})
    assert [line["request"] for line in log.of("request")] == ["first", "second"]
    assert "request" not in log.of("between")[0]


def test_nothing_that_a_caller_wrote_is_in_the_log(webhook: Webhook, log: Lines) -> None:
    def fail(_: object) -> None:
        raise RuntimeError("provider quotes geheim")

    token = webhook.headers["Authorization"].removeprefix("Bearer ")
    webhook.post("/search", {"source": "note", "words": "geheim"})
    webhook.post("/embed", {"model": "words", "texts": ["geheim"]})
    webhook.post("/search?geheim=1", {"source": "geheim", "words": "geheim", "geheim": 1})
    webhook.get("/sources/geheim/status")
    webhook.get("/geheim", headers={"Authorization": "Bearer geheim", "X-Evervec-Nonce": "geheim"})
    webhook.provider.fail = fail
    webhook.post("/search", {"source": "note", "words": "geheim and more"})
    webhook.post("/process", {})
    written = log.stream.getvalue()
    assert len(log.of("request")) == 7
    assert "geheim" not in written
    assert token not in written
