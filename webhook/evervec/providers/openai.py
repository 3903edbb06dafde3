"""Any service that speaks OpenAI's embeddings API, Azure too, through the official client."""

from __future__ import annotations

import binascii
import json
import math
import re
import sys
import time
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, Final, get_args

import numpy as np
import openai
import pybase64

from evervec import failpoints
from evervec.providers.base import (
    Embeddings,
    ErrorClass,
    Kind,
    ProviderError,
    Vectors,
)
from evervec.providers.profiles import DEFAULT_URL, OPENAI, profile

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from evervec.providers.profiles import Profile
    from evervec.records import Model

# The library that the client is built on: httpx, or httpx2 in its later versions.
httpx: Any = sys.modules[openai.DefaultHttpxClient.__mro__[1].__module__.partition(".")[0]]

# What a 4xx means for the rows that were sent. Every other 4xx is `bad_input`, every 5xx
# `server_error`, every redirect that leads nowhere `not_found`.
_CLASS_OF_STATUS: Final[dict[int, ErrorClass]] = {
    401: "auth",
    402: "quota",
    403: "auth",
    404: "not_found",
    405: "not_found",
    407: "auth",
    408: "timeout",
    409: "server_error",
    410: "not_found",
    425: "server_error",
    429: "rate_limit",
}

# A 400 about one of these condemns the model's registration, not the texts: looking for a culprit
# among them would be in vain.
_PARAMETERS_OF_THE_MODEL: Final = frozenset({"model", "dimensions", "encoding_format"})

# A text too long is told in as many ways as there are servers: OpenAI and vLLM ("maximum context
# length is 8192 tokens"), TEI ("must have less than 512 tokens"), Ollama ("the input length exceeds
# the context length"), Cohere and Voyage ("too long", "too many tokens").
_TOO_LONG: Final = re.compile(
    r"context.length|input.length|too.long|too many tokens|less than \d+ tokens"
    r"|max\w* (number of )?tokens|(tokens?|length)\b.*\bexceed|exceed\w*\b.*\b(tokens?|length)",
    re.IGNORECASE,
)

# Beyond a day the number is a mistake (or a timestamp) rather than a wish.
_LONGEST_WAIT: Final = timedelta(days=1)


# Members of a model's request that hold for one kind of text only.
_KINDS: Final = frozenset(get_args(Kind))

_BASE64: Final = {"encoding_format": "base64"}


class OpenAIProvider:
    """One model behind one profile. The client's own retries are off: the queue decides."""

    def __init__(self, model: Model, *, timeout: float) -> None:
        found = profile(model.provider)
        self._client = self._connected(found, timeout)
        if found.name != OPENAI:
            # The client reads these from variables that belong to the profile `openai`.
            self._client.organization = self._client.project = None
        self._key = found.api_key
        self._model = model
        self._bodies: dict[Kind, dict[str, Any]] = {
            "document": _request_body(model, "document"),
            "query": _request_body(model, "query"),
        }
        # A quarter of the bytes, and far less time to read them, where it is understood.
        self._format: Mapping[str, str] = _BASE64

    def _connected(self, found: Profile, timeout: float) -> openai.OpenAI:
        if not found.api_key and not found.base_url:
            raise found.missing("API_KEY", unless="BASE_URL")
        return openai.OpenAI(
            # A server of one's own (vLLM, TEI, Ollama) wants no key, the client wants one to send.
            api_key=found.api_key or "none",
            base_url=found.base_url or DEFAULT_URL,
            max_retries=0,
            http_client=_http_client(timeout),
            timeout=timeout,
        )

    def embed(self, texts: Sequence[str], kind: Kind) -> Embeddings:
        """Vectors in the order of the texts, whatever the order of the answer."""
        try:
            body = self._ask(texts, kind)
        except openai.APITimeoutError as error:
            raise ProviderError("timeout", "the provider did not answer in time") from error
        except openai.APIStatusError as error:
            raise self._refusal(error) from error
        except openai.APIConnectionError as error:
            cause = error.__cause__ or error
            raise ProviderError(
                "network", self._redacted(f"the provider cannot be reached: {cause}")
            ) from error
        except openai.OpenAIError as error:
            raise ProviderError(
                "invalid_response", self._redacted(f"the client gave up: {error}")
            ) from error
        return _decoded(body, len(texts), self._model.dimensions)

    def _ask(self, texts: Sequence[str], kind: Kind) -> bytes:
        try:
            return self._post(texts, kind)
        except (openai.BadRequestError, openai.UnprocessableEntityError) as error:
            if not self._format or "encoding_format" not in f"{error.param} {error.message}":
                raise
        # Left out from now on, because some servers refuse even its name.
        self._format = {}
        return self._post(texts, kind)

    def _post(self, texts: Sequence[str], kind: Kind) -> bytes:
        # Not through client.embeddings: it always sends an encoding_format.
        response = self._client.post(
            "/embeddings",
            cast_to=httpx.Response,
            body={
                "model": self._model.provider_model,
                "input": list(texts),
                **self._format,
                **self._bodies[kind],
            },
        )
        content: bytes = response.content
        return content

    def _refusal(self, error: openai.APIStatusError) -> ProviderError:
        status = error.status_code
        error_class = _CLASS_OF_STATUS.get(status) or _class_of_range(status)
        if status == 429 and "insufficient_quota" in (error.code, error.type):
            # OpenAI's way of saying that the money is gone: waiting a minute does not help.
            error_class = "quota"
        if status == 400 and (
            error.code == "model_not_found" or error.param in _PARAMETERS_OF_THE_MODEL
        ):
            error_class = "not_found"
        return ProviderError(
            error_class,
            self._redacted(f"the provider refused the request: {error.message}"),
            status_code=status,
            retry_after=retry_after(error.response.headers),
            too_long=error_class == "bad_input"
            and (status == 413 or _TOO_LONG.search(f"{error.code} {error.message}") is not None),
        )

    def _redacted(self, message: str) -> str:
        """The message without the key and of a length that a log can bear."""
        if self._key:
            message = message.replace(self._key, "***")
        return message if len(message) <= 500 else message[:499] + "…"


class AzureProvider(OpenAIProvider):
    """A deployment of Azure OpenAI, named by the model's provider_model."""

    def _connected(self, found: Profile, timeout: float) -> openai.OpenAI:
        needed = {
            "API_KEY": found.api_key,
            "BASE_URL": found.base_url,
            "API_VERSION": found.api_version,
        }
        missing = [name for name, value in needed.items() if not value]
        if missing:
            raise found.missing(*missing)
        return openai.AzureOpenAI(
            api_key=found.api_key,
            azure_endpoint=found.base_url,
            api_version=found.api_version,
            max_retries=0,
            http_client=_http_client(timeout),
            timeout=timeout,
        )


class _InTime(httpx.SyncByteStream):  # type: ignore[misc]
    """A body that has to end by a deadline. The client's own limit starts anew with every chunk: a
    server that sends a byte now and then would keep us for ever.
    """

    def __init__(self, stream: Any, deadline: float) -> None:
        self._stream = stream
        self._deadline = deadline

    def __iter__(self) -> Iterator[bytes]:
        for chunk in self._stream:
            if time.monotonic() > self._deadline:
                raise httpx.ReadTimeout("the answer did not end in time")
            yield chunk

    def close(self) -> None:
        self._stream.close()


def _http_client(timeout: float) -> Any:
    """The openai client's own HTTP client, with a limit for the whole answer."""

    def before(request: Any) -> None:
        request.extensions["evervec_deadline"] = time.monotonic() + timeout
        if failpoints.is_armed("during_call"):
            request.extensions["trace"] = _sent

    def after(response: Any) -> None:
        deadline = response.request.extensions["evervec_deadline"]
        response.stream = _InTime(response.stream, deadline)

    return openai.DefaultHttpxClient(event_hooks={"request": [before], "response": [after]})


def _sent(event: str, _: object) -> None:
    if event.endswith("send_request_body.complete"):
        failpoints.hit("during_call")


def _class_of_range(status: int) -> ErrorClass:
    if status < 400:
        return "not_found"
    return "bad_input" if status < 500 else "server_error"


def _request_body(model: Model, kind: Kind) -> dict[str, Any]:
    """Further fields of the request: what the model was registered with, and its dimensions."""
    body = {name: value for name, value in model.request.items() if name not in _KINDS}
    body |= model.request.get(kind, {})
    # Only OpenAI's third generation shortens vectors; other servers refuse the parameter, unless
    # it is asked for. null switches it off.
    if model.provider_model.startswith("text-embedding-3-"):
        body.setdefault("dimensions", model.dimensions)
    if body.get("dimensions") is None:
        body.pop("dimensions", None)
    return body


def _decoded(body: bytes, count: int, dimensions: int) -> Embeddings:
    """Vectors and token count of a 200; checks count, order and dimensions."""
    try:
        answer = json.loads(body)
        rows = answer["data"]
        if len(rows) != count:
            raise _invalid(f"{len(rows)} vectors for {count} texts")
        vectors = np.empty((count, dimensions), dtype=np.float32)
        seen = np.zeros(count, dtype=bool)
        for position, row in enumerate(rows):
            index = row.get("index", position)
            if not isinstance(index, int) or not 0 <= index < count or seen[index]:
                raise _invalid(f"index {index!r} is out of place")
            vector = _vector(row["embedding"])
            if vector.shape != (dimensions,):
                raise _invalid(
                    f"a vector of shape {vector.shape}, {dimensions} dimensions expected"
                )
            vectors[index] = vector
            seen[index] = True
        return Embeddings(vectors, _tokens(answer.get("usage")))
    except (ValueError, TypeError, KeyError, AttributeError, binascii.Error) as error:
        kind = "HTML" if body.lstrip()[:1] == b"<" else type(error).__name__
        raise _invalid(f"not an embeddings answer ({kind})") from error


def _vector(embedding: object) -> Vectors:
    if isinstance(embedding, str):
        return np.frombuffer(pybase64.b64decode(embedding, validate=True), dtype="<f4")
    with np.errstate(over="ignore"):  # becomes infinite, and is found as such
        return np.asarray(embedding, dtype=np.float64).astype(np.float32)


def _tokens(usage: object) -> int:
    if isinstance(usage, dict):
        for name in ("total_tokens", "prompt_tokens"):
            if isinstance(usage.get(name), int):
                return max(0, int(usage[name]))
    return 0


def _invalid(what: str) -> ProviderError:
    return ProviderError(
        "invalid_response", f"the provider's answer is unusable: {what}", status_code=200
    )


def retry_after(headers: Mapping[str, str], now: datetime | None = None) -> timedelta | None:
    """The wait that Retry-After asks for, as seconds or as a date; None when it asks for none."""
    text = headers.get("retry-after", "").strip()
    if not text:
        return None
    try:
        seconds = float(text)
    except ValueError:
        try:
            date = parsedate_to_datetime(text)
        except ValueError:
            return None
        # "GMT" is the only zone that HTTP allows; some servers leave it out.
        date = date if date.tzinfo else date.replace(tzinfo=UTC)
        seconds = (date - (now or datetime.now(UTC))).total_seconds()
    if math.isnan(seconds):
        return None
    return timedelta(seconds=min(max(seconds, 0.0), _LONGEST_WAIT.total_seconds()))
