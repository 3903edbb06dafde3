"""What a hostile caller may try: odd bodies, great ones, and questions about the server itself."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from evervec.app import create_app
from evervec.config import Config
from tests.service.conftest import Webhook
from tests.service.serving import Serving, serving
from tests.support.openai_server import OpenAIServer

BODIES: dict[str, dict[str, object]] = {
    "/search": {"source": "note", "words": "x"},
    "/embed": {"model": "words", "texts": ["x"]},
    "/jobs/bulk": {"source": "note", "keys": [{"id": 1}]},
    "/process": {},
    "/sources/note/generate": {},
    "/dead-letters/1/resolve": {},
}


def ask(webhook: Webhook, path: str, body: str | bytes, **headers: str) -> int:
    return webhook.client.post(
        f"/v1{path}", data=body, headers={**webhook.headers, **headers}, mimetype="application/json"
    ).status_code


@pytest.mark.parametrize("path", BODIES)
@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"{", id="cut short"),
        pytest.param(b"[]", id="a list"),
        pytest.param(b"null", id="null"),
        pytest.param(b'"x"', id="a string"),
        pytest.param(b"NaN", id="no number"),
        pytest.param(b"\xff\xfe", id="not UTF-8"),
        pytest.param(b"[" * 100_000, id="deep"),
        pytest.param(b'{"x": ' * 100_000, id="deep objects"),
        pytest.param(b'{"x": ' + b"9" * 100_000 + b"}", id="a number without end"),
    ],
)
def test_a_body_that_is_none_is_refused(webhook: Webhook, path: str, body: bytes) -> None:
    assert 400 <= ask(webhook, path, body) < 500 or (path, body) == ("/process", b"{}")


ODD = ["\ud800", "\x00", "\udfff\ud800", 10**30, -(10**400), float("nan"), float("inf"), 1e308]


@pytest.mark.parametrize("odd", ODD, ids=repr)
@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("/search", ("source", "words", "limit", "min_similarity", "tenant")),
        ("/embed", ("model", "kind", "tenant")),
        ("/jobs/bulk", ("source", "operation", "priority")),
        ("/process", ("jobs", "seconds")),
        ("/sources/note/generate", ("after", "batch_size", "seconds")),
        ("/dead-letters/1/resolve", ("by", "note")),
    ],
)
def test_a_value_that_no_field_can_have_is_no_fault(
    webhook: Webhook, path: str, fields: tuple[str, ...], odd: object
) -> None:
    for field in fields:
        body = json.dumps({**BODIES[path], field: odd})
        assert ask(webhook, path, body) < 500, field


@pytest.mark.parametrize("odd", ODD, ids=repr)
def test_an_odd_value_within_a_field_is_no_fault(webhook: Webhook, odd: object) -> None:
    library = {"name": "library", "arguments": {"p_owner": odd}}
    for path, body in {
        "/jobs/bulk": {"source": "note", "keys": [{"id": odd}]},
        "/jobs/bulk?": {"source": "note", "keys": [{"id": 1}], "metadata": {"x": odd}},
        "/jobs/bulk?x": {"source": "note", "keys": [{"id": 1}], "metadata": {str(odd): 1}},
        "/embed": {"model": "words", "texts": [odd]},
        "/search": {"source": "note", "words": "x", "filter": library},
        "/sources/note/generate": {"scope": library},
        "/sources/note/generate?": {"keys": [{"id": odd}]},
    }.items():
        assert ask(webhook, path, json.dumps(body)) < 500, path


def test_who_is_nobody_learns_nothing_about_the_database() -> None:
    url = "postgresql://somebody:geheim@127.0.0.1:1/shop?connect_timeout=2"
    client = create_app(Config(database_url=url)).test_client()

    refused = client.get("/v1/sources", headers={"Authorization": "Bearer x"})

    assert refused.status_code == 503
    for told in ("127.0.0.1", "somebody", "geheim", "shop", "EVERVEC_"):
        assert told not in refused.text


def test_a_ring_is_small(webhook: Webhook) -> None:
    """Whatever claims to be signed is asked of the database, so it may not be great."""
    headers = {
        "X-Evervec-Timestamp": "1",
        "X-Evervec-Nonce": "0" * 32,
        "X-Evervec-Signature": "v1=" + "0" * 64,
    }
    refused = webhook.client.post("/v1/wake", headers=headers, data=b"x" * 100_000)
    assert refused.status_code == 413


@pytest.fixture
def served(url: str, tmp_path: Path) -> Iterator[Serving]:
    with OpenAIServer().running() as api, serving(url, tmp_path / "log", api) as found:
        yield found


def test_a_token_in_a_malformed_request_is_not_in_the_log(served: Serving) -> None:
    token = served.headers["Authorization"].removeprefix("Bearer ")
    address = urlsplit(served.address)
    for head in (
        f"GET /v1/sources HTTP/1.1\r\nAuthorization : Bearer {token}\r\n\r\n",
        f"GET /v1/sources HTTP/1.1\r\nAuthorization: Bearer \0{token}\r\n\r\n",
        f"GET /v1/sources HTTP/1.1\r\nAuthorization Bearer {token}\r\n\r\n",
        f"GET /v1/sources?{token} HTTP/9.9\r\n\r\n",
        f"{token} /v1/sources HTTP/1.1\r\n\r\n",
    ):
        with socket.create_connection((address.hostname, address.port), timeout=20) as caller:
            caller.sendall(head.encode())
            caller.shutdown(socket.SHUT_WR)
            answer = b"".join(iter(lambda: caller.recv(4096), b""))
        assert b" 400 " in answer
    assert token not in served.log.read_text()
