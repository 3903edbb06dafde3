"""An embeddings API that costs next to nothing: `python -m bench.api --latency 0.1` prints its URL.

A process of its own that speaks OpenAI's wire format over kept-alive connections. Its vectors are
random and made beforehand, as base64 or as numbers, whichever a request asks for; they come round
after --vectors of them. `--check` measures how many texts a second it answers, and with how much of
a core.
"""

from __future__ import annotations

import argparse
import base64
import http.client
import json
import os
import select
import socketserver
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from urllib.parse import urlsplit

import numpy as np

DIMENSIONS = 1_536
VECTORS = 1_000
_START_SECONDS = 60.0


@dataclass(frozen=True)
class Usage:
    """What the API was asked for since it started, or was reset."""

    requests: int
    texts: int
    at_once: int  # requests in flight together, at most
    first_at: float | None  # when the first one came, in seconds since the epoch
    cpu_seconds: float  # of processor time, since it started


@dataclass(frozen=True)
class Api:
    """A running API; url is what OPENAI_BASE_URL is set to."""

    url: str
    process: subprocess.Popen[str]

    def usage(self) -> Usage:
        """The counts so far."""
        return self._asked("/usage")

    def reset(self) -> None:
        """Count from now on."""
        self._asked("/reset")

    def _asked(self, path: str) -> Usage:
        connection = http.client.HTTPConnection(urlsplit(self.url).netloc)
        connection.request("GET", path)
        found = Usage(**json.loads(connection.getresponse().read()))
        connection.close()
        return found


@contextmanager
def running_api(
    latency: float = 0.0, dimensions: int = DIMENSIONS, vectors: int = VECTORS
) -> Iterator[Api]:
    """An API in a process of its own, for the time of the block; latency in seconds."""
    command = [sys.executable, "-m", "bench.api", "--latency", str(latency)]
    command += ["--dimensions", str(dimensions), "--vectors", str(vectors)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        output = process.stdout
        if output is None or not select.select([output], [], [], _START_SECONDS)[0]:
            raise TimeoutError("the embeddings API does not start")
        yield Api(output.readline().strip(), process)
    finally:
        process.terminate()
        process.wait()


class _Vectors:
    """Vectors in the two ways in which an answer can spell them, each when first asked for."""

    def __init__(self, count: int, dimensions: int) -> None:
        numbers = np.random.default_rng(7).standard_normal((count, dimensions), dtype=np.float32)
        self._numbers = numbers / np.linalg.norm(numbers, axis=1, keepdims=True)

    @cached_property
    def base64(self) -> Sequence[bytes]:
        """As strings."""
        return [b'"' + base64.b64encode(vector.tobytes()) + b'"' for vector in self._numbers]

    @cached_property
    def floats(self) -> Sequence[bytes]:
        """As lists of numbers with the digits that a float4 has, as OpenAI writes them."""
        return [
            b"[" + ",".join(str(number) for number in vector).encode() + b"]"
            for vector in self._numbers
        ]


class _Server(socketserver.ThreadingTCPServer):
    """A thread a connection: they sleep, read and send without holding one another up."""

    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 128

    def __init__(self, port: int, latency: float, vectors: _Vectors) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.latency = latency
        self.vectors = vectors
        self._lock = threading.Lock()
        self._in_flight = 0
        self.reset()

    def reset(self) -> None:
        """Count from now on."""
        with self._lock:
            self._requests = self._texts = self._at_once = 0
            self._first_at: float | None = None

    def begin(self, texts: int) -> int:
        """Count a request; the place among the vectors at which its own begin."""
        with self._lock:
            place = self._texts
            self._requests += 1
            self._texts += texts
            self._in_flight += 1
            self._at_once = max(self._at_once, self._in_flight)
            self._first_at = self._first_at or time.time()
            return place

    def end(self) -> None:
        """A request has its answer."""
        with self._lock:
            self._in_flight -= 1

    def usage(self) -> Usage:
        """The counts so far."""
        with self._lock:
            return Usage(
                self._requests, self._texts, self._at_once, self._first_at, time.process_time()
            )


class _Handler(socketserver.StreamRequestHandler):
    """One connection: request after request until the client hangs up."""

    server: _Server
    disable_nagle_algorithm = True
    rbufsize = 1 << 18

    def handle(self) -> None:
        """Answer."""
        try:
            while line := self.rfile.readline():
                body = self.rfile.read(self._content_length())
                if line.startswith(b"POST"):
                    self._embeddings(json.loads(body))
                    continue
                if line.startswith(b"GET /reset"):
                    self.server.reset()
                self._send(json.dumps(vars(self.server.usage())).encode())
        except ConnectionError:
            pass  # the client was ended

    def _content_length(self) -> int:
        length = 0
        while (line := self.rfile.readline().strip()) != b"":
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        return length

    def _embeddings(self, request: dict[str, object]) -> None:
        given = request["input"]
        count = len(given) if isinstance(given, list) else 1
        arrived = time.monotonic()
        place = self.server.begin(count)
        vectors = self.server.vectors
        spelled = vectors.base64 if request.get("encoding_format") == "base64" else vectors.floats
        parts = [b'{"object":"list","data":[']
        for index in range(count):
            parts.append(b'%b{"object":"embedding","index":%d,"embedding":' % (b","[:index], index))
            parts.append(spelled[(place + index) % len(spelled)])
            parts.append(b"}")
        parts.append(b'],"model":"bench","usage":{"prompt_tokens":%d,' % count)
        parts.append(b'"total_tokens":%d}}' % count)
        body = b"".join(parts)
        time.sleep(max(0.0, arrived + self.server.latency - time.monotonic()))
        self.server.end()
        self._send(body)

    def _send(self, body: bytes) -> None:
        head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
        self.connection.sendall(head % len(body))
        self.connection.sendall(body)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run as a command: prints the URL, then serves until ended."""
    parser = argparse.ArgumentParser(prog="bench.api", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="default: any that is free")
    parser.add_argument("--latency", type=float, default=0.0, help="seconds before each answer")
    parser.add_argument("--dimensions", type=int, default=DIMENSIONS)
    parser.add_argument("--vectors", type=int, default=VECTORS, help="how many different ones")
    parser.add_argument("--check", action="store_true", help="measure the API itself, then end")
    options = parser.parse_args(arguments)
    if options.check:
        _check(options.dimensions)
        return
    vectors = _Vectors(options.vectors, options.dimensions)
    # Made now: the first request should not wait for them.
    _ = vectors.base64, vectors.floats
    server = _Server(options.port, options.latency, vectors)
    print(f"http://127.0.0.1:{server.server_address[1]}/v1", flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        os._exit(0)  # nothing of ours is worth a traceback


def _check(dimensions: int, count: int = 500, seconds: float = 3.0) -> None:
    """Texts a second with one client that reads the answer and does nothing with it."""
    text = "bench " * 83
    for spelling in ("base64", "float"):
        with running_api(dimensions=dimensions) as api:
            body = json.dumps({"input": [text] * count, "encoding_format": spelling}).encode()
            connection = http.client.HTTPConnection(urlsplit(api.url).netloc)
            before = api.usage()
            began = time.monotonic()
            while time.monotonic() < began + seconds:
                connection.request("POST", "/v1/embeddings", body)
                connection.getresponse().read()
            took = time.monotonic() - began
            after = api.usage()
            connection.close()
        texts = after.texts - before.texts
        cpu = after.cpu_seconds - before.cpu_seconds
        print(
            f"{spelling}: {texts / took:,.0f} texts a second in requests of {count};"
            f" {cpu / texts * 1e6:.1f} µs of processor time a text"
        )


if __name__ == "__main__":
    main()
