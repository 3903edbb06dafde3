"""The provider `openai` on the wire: a real HTTP server, every way in which it can fail."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import numpy as np
import pytest

from evervec.providers import ProviderError, Providers, ProviderSetupError, unusable_rows
from evervec.providers.openai import retry_after
from evervec.records import Model
from tests.support.openai_server import DIMENSIONS, Answer, OpenAIServer, Request, words_vector

KEY = "sk-test-0123456789"
TEXTS = ["a fine day", "two whales", "three"]


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch, openai_server: OpenAIServer) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", openai_server.url)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)


def failure(model: Model, timeout: float = 5) -> ProviderError:
    with pytest.raises(ProviderError) as error:
        Providers(timeout=timeout).embed(model, TEXTS, "document")
    return error.value


@pytest.mark.parametrize("answer", [Answer(), Answer(floats=True), Answer(reverse=True)])
def test_vectors_arrive_in_the_order_of_the_texts(
    openai_server: OpenAIServer, model: Model, answer: Answer
) -> None:
    openai_server.script(answer)

    embeddings = Providers().embed(model, TEXTS, "document")

    assert embeddings.vectors.dtype == np.float32
    np.testing.assert_allclose(embeddings.vectors, [words_vector(t) for t in TEXTS], rtol=1e-6)
    assert embeddings.tokens == 6


def test_base64_is_asked_for_and_the_key_is_sent(openai_server: OpenAIServer, model: Model) -> None:
    Providers().embed(model, TEXTS, "document")

    (request,) = openai_server.requests
    assert request.body["encoding_format"] == "base64"
    assert request.body["model"] == "wire-model"
    assert request.headers["authorization"] == f"Bearer {KEY}"


@pytest.mark.parametrize(
    ("provider_model", "extra", "sent"),
    [
        ("text-embedding-3-small", {}, DIMENSIONS),
        ("text-embedding-ada-002", {}, None),
        ("bge-m3", {"dimensions": DIMENSIONS}, DIMENSIONS),
        ("text-embedding-3-small", {"dimensions": None}, None),
    ],
)
def test_dimensions_are_sent_only_where_they_are_understood(
    openai_server: OpenAIServer, provider_model: str, extra: dict[str, int], sent: int | None
) -> None:
    model = Model("m", "openai", provider_model, DIMENSIONS, request=extra)

    Providers().embed(model, TEXTS, "document")

    assert openai_server.requests[0].body.get("dimensions", "none") == (sent or "none")


def test_further_fields_of_the_request_are_sent(openai_server: OpenAIServer) -> None:
    model = Model("m", "openai", "m", DIMENSIONS, request={"truncate": "END"})

    Providers().embed(model, TEXTS, "document")

    assert openai_server.requests[0].body["truncate"] == "END"


@pytest.mark.parametrize(
    ("document", "query"),
    [("document", "query"), ("search_document", "search_query")],
    ids=["Voyage", "Cohere"],
)
def test_documents_and_queries_get_the_fields_of_their_kind(
    openai_server: OpenAIServer, document: str, query: str
) -> None:
    request = {
        "truncation": False,
        "document": {"input_type": document},
        "query": {"input_type": query, "truncation": True},
    }
    model = Model("m", "openai", "m", DIMENSIONS, request=request)
    providers = Providers()

    providers.embed(model, ["x"], "document")
    providers.embed_query(model, "x")

    common = {"model": "m", "input": ["x"], "encoding_format": "base64"}
    assert [request.body for request in openai_server.requests] == [
        common | {"input_type": document, "truncation": False},
        common | {"input_type": query, "truncation": True},
    ]


def test_documents_and_queries_get_their_prefixes(openai_server: OpenAIServer) -> None:
    model = Model("m", "openai", "m", DIMENSIONS, document_prefix="doc: ", query_prefix="query: ")
    providers = Providers()

    providers.embed(model, ["x"], "document")
    providers.embed_query(model, "x")

    assert openai_server.texts == ["doc: x", "query: x"]


def test_a_text_beyond_the_input_limit_is_cut(openai_server: OpenAIServer) -> None:
    model = Model("m", "openai", "m", DIMENSIONS, input_limit=10)

    Providers().embed(model, ["x" * 1000], "document")

    assert openai_server.texts == ["x" * 40]


@pytest.mark.parametrize(
    ("answer", "error_class"),
    [
        (Answer(status=400), "bad_input"),
        (Answer(status=413), "bad_input"),
        (Answer(status=422), "bad_input"),
        (Answer(status=400, error={"param": "dimensions"}), "not_found"),
        (Answer(status=400, error={"code": "model_not_found"}), "not_found"),
        (Answer(status=401), "auth"),
        (Answer(status=403), "auth"),
        (Answer(status=407), "auth"),
        (Answer(status=304), "not_found"),
        (Answer(status=402), "quota"),
        (Answer(status=404), "not_found"),
        (Answer(status=408), "timeout"),
        (Answer(status=429), "rate_limit"),
        (Answer(status=429, error={"code": "insufficient_quota"}), "quota"),
        (Answer(status=500), "server_error"),
        (Answer(status=502), "server_error"),
        (Answer(status=503), "server_error"),
        (Answer(status=529), "server_error"),
    ],
)
def test_the_status_decides_the_class_and_is_kept(
    openai_server: OpenAIServer, model: Model, answer: Answer, error_class: str
) -> None:
    openai_server.script(answer)

    error = failure(model)

    assert error.error_class == error_class
    assert error.status_code == answer.status


def test_no_request_is_repeated_by_the_client(openai_server: OpenAIServer, model: Model) -> None:
    openai_server.script(Answer(status=500), Answer(status=500))

    failure(model)

    assert len(openai_server.requests) == 1


def refuses_base64(status: int, error: dict[str, str]) -> Callable[[Request], Answer | None]:
    """A rule: no request may have the member encoding_format."""

    def rule(request: Request) -> Answer | None:
        named = "encoding_format" in request.body
        return Answer(status=status, error=error) if named else None

    return rule


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, {"message": "unsupported value", "param": "encoding_format"}),
        (400, {"message": "Unknown parameter: 'encoding_format'."}),
        (422, {"message": "body.encoding_format: Extra inputs are not permitted"}),
    ],
)
def test_a_server_without_base64_is_asked_for_floats_and_that_is_remembered(
    openai_server: OpenAIServer, model: Model, status: int, error: dict[str, str]
) -> None:
    openai_server.rule(refuses_base64(status, error))
    providers = Providers()

    for _ in range(3):
        vectors = providers.embed(model, TEXTS, "document").vectors

    np.testing.assert_allclose(vectors, [words_vector(t) for t in TEXTS], rtol=1e-6)
    asked = ["encoding_format" in request.body for request in openai_server.requests]
    assert asked == [True, False, False, False]


def test_a_refusal_that_floats_do_not_mend_is_told(
    openai_server: OpenAIServer, model: Model
) -> None:
    refusal = Answer(status=400, error={"param": "encoding_format"})
    openai_server.script(refusal, refusal)

    assert failure(model).error_class == "not_found"
    assert len(openai_server.requests) == 2


def test_retry_after_is_kept(openai_server: OpenAIServer, model: Model) -> None:
    openai_server.script(Answer(status=429, headers={"Retry-After": "7"}))

    assert failure(model).retry_after == timedelta(seconds=7)


NOW = datetime(2026, 5, 17, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0),
        ("1.5", 1.5),
        ("-3", 0),
        (format_datetime(NOW + timedelta(seconds=90), usegmt=True), 90),
        (format_datetime(NOW - timedelta(seconds=90), usegmt=True), 0),
        ("1e12", 86_400),
        ("inf", 86_400),
        ("nan", None),
        ("soon", None),
        ("", None),
    ],
)
def test_peer_20_retry_after_is_seconds_or_a_date(text: str, seconds: float | None) -> None:
    wait = retry_after({"retry-after": text}, NOW)

    assert (None if wait is None else wait.total_seconds()) == seconds


@pytest.mark.parametrize(
    "answer",
    [
        Answer(html=True),
        Answer(drop=1),
        Answer(extra=1),
        Answer(dimensions=DIMENSIONS + 1),
        Answer(dimensions=1),
        Answer(index=0),
        Answer(index=3),
        Answer(index=-1),
    ],
)
def test_peer_22_an_unusable_answer_is_an_invalid_response(
    openai_server: OpenAIServer, model: Model, answer: Answer
) -> None:
    openai_server.script(answer)

    assert failure(model).error_class == "invalid_response"


@pytest.mark.parametrize("value", [math.nan, math.inf, 0.0, 1e39])
@pytest.mark.parametrize("floats", [True, False])
def test_peer_22_a_vector_that_is_no_direction_is_found_row_by_row(
    openai_server: OpenAIServer, model: Model, value: float, floats: bool
) -> None:
    openai_server.script(Answer(value=value, bad_row=1, floats=floats))

    vectors = Providers().embed(model, TEXTS, "document").vectors

    assert list(unusable_rows(vectors)) == [1]


def test_peer_22_a_connection_cut_in_the_body_is_a_network_error(
    openai_server: OpenAIServer, model: Model
) -> None:
    openai_server.script(Answer(cut=True))

    assert failure(model).error_class == "network"


def test_a_slow_answer_is_a_timeout(openai_server: OpenAIServer, model: Model) -> None:
    openai_server.script(Answer(slow=2))

    assert failure(model, timeout=0.2).error_class == "timeout"


def test_an_answer_that_drips_is_a_timeout(openai_server: OpenAIServer, model: Model) -> None:
    openai_server.script(Answer(drip=0.05))
    started = time.monotonic()

    assert failure(model, timeout=0.3).error_class == "timeout"
    assert time.monotonic() - started < 2


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (400, "This model's maximum context length is 8192 tokens, however you requested 9000"),
        (400, "the input length exceeds the context length"),
        (400, "Invalid 'input[0]': maximum input length is 8192 tokens."),
        (400, "Input text too long"),
        (422, "Input validation error: `inputs` must have less than 512 tokens. Given: 1000"),
        (413, "Payload too large"),
        (413, "no"),
    ],
)
def test_a_text_too_long_is_told_from_other_refusals(
    openai_server: OpenAIServer, model: Model, status: int, message: str
) -> None:
    openai_server.script(Answer(status=status, error={"message": message}))

    error = failure(model)

    assert (error.error_class, error.too_long) == ("bad_input", True)


@pytest.mark.parametrize(
    ("status", "message"),
    [(400, "'$.input' is invalid"), (422, "no"), (429, "exceeded your tokens per minute")],
)
def test_other_refusals_are_not_taken_for_too_long(
    openai_server: OpenAIServer, model: Model, status: int, message: str
) -> None:
    openai_server.script(Answer(status=status, error={"message": message}))

    assert not failure(model).too_long


def test_nobody_at_the_address_is_a_network_error(
    monkeypatch: pytest.MonkeyPatch, model: Model
) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")

    assert failure(model).error_class == "network"


def test_a_missing_key_is_told_before_any_request(
    monkeypatch: pytest.MonkeyPatch, openai_server: OpenAIServer, model: Model
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY")
    monkeypatch.delenv("OPENAI_BASE_URL")

    error = failure(model)

    assert isinstance(error, ProviderSetupError)
    assert error.error_class == "auth"
    assert "OPENAI_API_KEY" in error.message
    assert openai_server.requests == []


def test_a_server_of_ones_own_needs_no_key(
    monkeypatch: pytest.MonkeyPatch, openai_server: OpenAIServer, model: Model
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY")

    Providers().embed(model, TEXTS, "document")

    assert len(openai_server.requests) == 1


def test_the_key_is_in_no_message(openai_server: OpenAIServer, model: Model) -> None:
    openai_server.script(Answer(status=401, error={"message": f"bad key {KEY}"}))

    error = failure(model)

    assert KEY not in error.message
    assert "bad key ***" in error.message


def test_a_query_without_a_direction_is_an_error_of_ours(
    openai_server: OpenAIServer, model: Model
) -> None:
    openai_server.script(Answer(value=math.nan))

    with pytest.raises(ProviderError, match="not finite"):
        Providers().embed_query(model, "x")
