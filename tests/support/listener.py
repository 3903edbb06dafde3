"""A webhook's door: hears requests on a port of its own, and answers 202, or never."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.support.rings import Ring


@dataclass
class Door:
    """Its address, and what was heard there."""

    address: str
    rings: list[Ring] = field(default_factory=list)


@contextmanager
def listening() -> Iterator[Door]:
    """A door that answers, for the time of the block."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            assert self.path == "/v1/wake"
            assert self.headers["Content-Type"] == "application/json"
            ring = Ring(
                int(self.headers["X-Evervec-Timestamp"]),
                self.headers["X-Evervec-Nonce"],
                body,
                self.headers["X-Evervec-Signature"],
            )
            self.send_response(202)
            self.send_header("Content-Length", "0")
            self.end_headers()
            door.rings.append(ring)

        def log_message(self, *_: object) -> None:
            """Keep quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        door = Door(f"http://127.0.0.1:{server.server_port}")
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield door
        server.shutdown()


@contextmanager
def silent() -> Iterator[str]:
    """The address of a door where nobody ever answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


@contextmanager
def closed() -> Iterator[str]:
    """The address of a door that is shut: the port is taken, and nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}"
