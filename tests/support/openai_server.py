"""A local HTTP server that speaks OpenAI's embeddings wire format, and fails on demand.

Its vectors are bags of words: texts that share words are near one another, the same text has always
the same vector, and no model is needed.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np
from numpy.typing import NDArray

DIMENSIONS = 32


def words_vector(text: str, dimensions: int = DIMENSIONS) -> NDArray[np.float32]:
    """A unit vector, shape (dimensions,): the sum of a random direction for each word."""
    total = np.zeros(dimensions)
    for word in re.findall(r"\w+", text.lower()) or [text]:
        seed = int.from_bytes(hashlib.sha256(word.encode()).digest()[:8])
        total += np.random.default_rng(seed).normal(size=dimensions)
    return (total / np.linalg.norm(total)).astype(np.float32)


@dataclass(frozen=True)
class Request:
    """What a client sent, and where; the names of the headers in lower case."""

    texts: list[str]
    body: dict[str, Any]
    headers: Mapping[str, str]
    path: str


@dataclass(frozen=True)
class Answer:
    """What the server does with a request; the default is what OpenAI does.

    status, error, headers   an error answer: its body's `error` object, and further headers
    cut                      the connection ends in the middle of the body
    html                     200 with a web page
    drop, extra              vectors too few or too many
    reverse                  data in the opposite order (the index still tells)
    floats                   a list of numbers although base64 was asked for
    dimensions               another length than the client expects
    value                    every vector consists of this number (NaN, 0, 1e39)
    bad_row                  `value` applies to this row only
    index                    the index that every vector has
    slow                     seconds before the answer
    held                     no answer before `release`
    drip                     seconds between one byte of the body and the next
    """

    status: int = 200
    error: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    cut: bool = False
    html: bool = False
    drop: int = 0
    extra: int = 0
    reverse: bool = False
    floats: bool = False
    dimensions: int | None = None
    value: float | None = None
    bad_row: int | None = None
    index: int | None = None
    slow: float = 0.0
    held: bool = False
    drip: float = 0.0


class OpenAIServer:
    """The server; `requests` is what it was asked, in order.

    count_tokens  how many tokens it says that a text has; a request's are rounded
    port      0: any that is free
    answered  called with each request and what it will be answered, before that takes time
    """

    def __init__(
        self, port: int = 0, answered: Callable[[Request, Answer], None] | None = None
    ) -> None:
        self.requests: list[Request] = []
        self.count_tokens: Callable[[str], float] = lambda text: len(text.split())
        self.control: Callable[[str, Any], Any] = lambda *_: None
        self._answered = answered or (lambda *_: None)
        self._script: list[Answer] = []
        self._rule: Callable[[Request], Answer | None] = lambda _: None
        self._lock = threading.Lock()
        self._released = threading.Event()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                length = int(self.headers.get("Content-Length", "0"))
                body = json.loads(self.rfile.read(length))
                if self.path.startswith("/control/"):
                    outer.steer(self, body)
                else:
                    outer.respond(self, body)

            def log_message(self, *_: object) -> None:
                pass

        class Server(ThreadingHTTPServer):
            def handle_error(self, *_: object) -> None:
                pass  # clients are killed here

        self._http = Server(("127.0.0.1", port), Handler)
        self._http.daemon_threads = True

    @property
    def url(self) -> str:
        """What OPENAI_BASE_URL is set to."""
        return f"http://127.0.0.1:{self._http.server_address[1]}/v1"

    @property
    def texts(self) -> list[str]:
        """Every text that was sent, in order."""
        return [text for request in self.requests for text in request.texts]

    def script(self, *answers: Answer) -> None:
        """Answer the next requests like this, then as usual."""
        self._script.extend(answers)

    def release(self) -> None:
        """Answer what is held, and hold nothing more."""
        self._released.set()

    def rule(self, rule: Callable[[Request], Answer | None]) -> None:
        """Answer every request for which the rule has an answer; None: as usual."""
        self._rule = rule

    def respond(self, handler: BaseHTTPRequestHandler, body: dict[str, Any]) -> None:
        """Answer one request."""
        given = body.get("input")
        request = Request(
            [given] if isinstance(given, str) else list(given or []),
            body,
            {name.lower(): value for name, value in handler.headers.items()},
            handler.path,
        )
        with self._lock:
            self.requests.append(request)
            scripted = self._script.pop(0) if self._script else None
            answer = scripted or self._rule(request) or Answer()
            self._answered(request, answer)
        time.sleep(answer.slow)
        if answer.held:
            self._released.wait()
        with suppress(BrokenPipeError, ConnectionResetError):  # the client did not wait
            self._send(handler, request, answer)

    def steer(self, handler: BaseHTTPRequestHandler, body: Any) -> None:
        """Answer a request of a test in another process."""
        with self._lock:
            payload = json.dumps(self.control(handler.path, body)).encode()
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(payload)))
        handler.end_headers()
        handler.wfile.write(payload)

    def _send(self, handler: BaseHTTPRequestHandler, request: Request, answer: Answer) -> None:
        kind = "application/json"
        if answer.html:
            kind, payload = "text/html", b"<html><body>Please log in</body></html>"
        elif answer.status != 200:
            payload = json.dumps({"error": {"message": "no", **answer.error}}).encode()
        else:
            payload = json.dumps(_embeddings(request, answer, self.count_tokens)).encode()
        handler.send_response(answer.status)
        handler.send_header("Content-Type", kind)
        handler.send_header("Content-Length", str(len(payload)))
        for name, value in answer.headers.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.flush()
        if answer.cut:
            handler.wfile.write(payload[: len(payload) // 2])
            handler.wfile.flush()
            handler.close_connection = True
            handler.connection.close()
            return
        if answer.drip:
            for byte in payload:
                handler.wfile.write(bytes([byte]))
                time.sleep(answer.drip)
            return
        handler.wfile.write(payload)

    def serve(self) -> None:
        """Serve until the process ends."""
        self._http.serve_forever(0.05)

    @contextmanager
    def running(self) -> Iterator[OpenAIServer]:
        """Serve for the time of the block."""
        thread = threading.Thread(target=self._http.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self._http.shutdown()
            self._http.server_close()
            thread.join()


def _embeddings(
    request: Request, answer: Answer, count_tokens: Callable[[str], float]
) -> dict[str, Any]:
    dimensions = answer.dimensions or request.body.get("dimensions") or DIMENSIONS
    vectors = [words_vector(text, dimensions) for text in request.texts]
    if answer.value is not None:
        for row in range(len(vectors)) if answer.bad_row is None else [answer.bad_row]:
            vectors[row] = np.full(dimensions, answer.value)  # float64: 1e39 is more than float32
    vectors = vectors[: len(vectors) - answer.drop] + vectors[:1] * answer.extra
    floats = answer.floats or request.body.get("encoding_format") != "base64"
    data = [
        {
            "object": "embedding",
            "index": position if answer.index is None else answer.index,
            "embedding": _encoded(vector, floats),
        }
        for position, vector in enumerate(vectors)
    ]
    if answer.reverse:
        data.reverse()
    tokens = round(sum(count_tokens(text) for text in request.texts))
    return {
        "object": "list",
        "model": request.body.get("model"),
        "data": data,
        "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
    }


def _encoded(vector: NDArray[Any], floats: bool) -> str | Sequence[float]:
    if floats:
        return [float(x) for x in vector]
    with np.errstate(over="ignore"):
        return base64.b64encode(vector.astype("<f4").tobytes()).decode()
