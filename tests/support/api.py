"""The OpenAI-wire server as a process of its own, which can be steered, killed and started again.

Its journal is a file, one JSON object a request, written before the request is answered: so it
survives a SIGKILL, and tells of every text how often it was paid for.
"""

from __future__ import annotations

import json
import os
import random
import socket
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tests.support.openai_server import Answer, OpenAIServer, Request
from tools.chain import ROOT

# Every way to fail, for `failing`. What is slow is so for longer than a worker waits, with a limit
# of two seconds.
FAILURES: tuple[Answer, ...] = (
    Answer(status=400),
    Answer(status=408),
    Answer(status=413),
    Answer(status=422),
    Answer(status=429, headers={"Retry-After": "1"}),
    Answer(status=429, headers={"Retry-After": "0.2"}),
    Answer(status=500),
    Answer(status=502),
    Answer(status=503, headers={"Retry-After": "1"}),
    Answer(slow=3),
    Answer(cut=True),
    Answer(html=True),
    Answer(drop=1),
    Answer(extra=1),
    Answer(reverse=True),  # no failure: the index tells
    Answer(dimensions=7),
    Answer(value=float("nan")),
    Answer(value=0.0),
)


@dataclass(frozen=True)
class Sent:
    """One request as the journal has it: when it came, what it was answered.

    paid  a provider would bill it; good: its vectors were all there and right
    """

    at: float
    texts: list[str]
    model: str
    status: int
    paid: bool
    good: bool


@dataclass(frozen=True)
class Rules:
    """What the server does beside its script.

    failing      share of the requests that meet one of FAILURES
    poison       a word; a request with it in one of its texts is answered with poison_status
    longest      characters of a text, beyond which the request is refused as too long
    most_texts   texts in a request, beyond which it is answered with 413
    limited      model → seconds: each request of it is answered 429, with that Retry-After
    slow         seconds before each answer
    """

    failing: float = 0.0
    poison: str = ""
    poison_status: int = 400
    longest: int = 0
    most_texts: int = 0
    limited: Mapping[str, float] | None = None
    slow: float = 0.0

    def answer(self, request: Request, chance: random.Random) -> Answer | None:
        """What these rules make of a request."""
        if self.limited and request.body["model"] in self.limited:
            wait = str(self.limited[request.body["model"]])
            return Answer(status=429, headers={"Retry-After": wait})
        if self.poison and any(self.poison in text for text in request.texts):
            return Answer(status=self.poison_status)
        if self.most_texts and len(request.texts) > self.most_texts:
            return Answer(status=413)
        if self.longest and any(len(text) > self.longest for text in request.texts):
            message = "This model's maximum context length is shorter than that"
            return Answer(status=400, error={"message": message})
        if chance.random() < self.failing:
            return chance.choice(FAILURES)
        return Answer(slow=self.slow) if self.slow else None


class Api:
    """The process, seen from a test."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = _free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """What OPENAI_BASE_URL is set to."""
        return f"http://127.0.0.1:{self.port}/v1"

    def start(self) -> None:
        """Start it, at the same address each time; returns when it answers."""
        command = [sys.executable, "-m", "tests.support.api", str(self.port), str(self._file)]
        self._process = subprocess.Popen(command, cwd=ROOT, env={**os.environ})
        end = time.monotonic() + 20
        while True:
            try:
                self._steer("ready", None)
            except OSError:
                assert time.monotonic() < end, "the API does not start"
                time.sleep(0.02)
            else:
                return

    def kill(self) -> None:
        """SIGKILL."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def script(self, *answers: Answer) -> None:
        """Answer the next requests like this, then by the rules."""
        self._steer("script", [asdict(answer) for answer in answers])

    def release(self) -> None:
        """Answer what is held, and hold nothing more."""
        self._steer("release", None)

    def rules(self, rules: Rules) -> None:
        """Answer by these rules from now on."""
        self._steer("rules", asdict(rules))

    @property
    def journal(self) -> list[Sent]:
        """Every request so far, in order."""
        if not self._file.exists():
            return []
        lines = self._file.read_text().splitlines()
        return [Sent(**json.loads(line)) for line in lines]

    @property
    def paid(self) -> Counter[str]:
        """How often each text was paid for."""
        return Counter(text for sent in self.journal if sent.paid for text in sent.texts)

    @property
    def paid_twice(self) -> int:
        """Payments that were not the first for their text."""
        return sum(times - 1 for times in self.paid.values())

    @property
    def _file(self) -> Path:
        return self.folder / "journal.jsonl"

    def _steer(self, path: str, body: object) -> Any:
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/control/{path}", data=json.dumps(body).encode()
        )
        with urllib.request.urlopen(request, timeout=5) as answer:  # noqa: S310
            return json.load(answer)


@contextmanager
def running_api(folder: Path) -> Iterator[Api]:
    """The process for the time of the block."""
    api = Api(folder)
    api.start()
    try:
        yield api
    finally:
        api.kill()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _write_to(journal: Path) -> Callable[[Request, Answer], None]:
    file = journal.open("a", buffering=1)

    def write(request: Request, answer: Answer) -> None:
        paid = answer.status == 200 and not answer.html
        model = str(request.body.get("model"))
        good = paid and not (
            answer.cut
            or answer.drop
            or answer.extra
            or answer.dimensions
            or answer.value is not None
            or answer.slow >= 1
        )
        sent = Sent(time.time(), request.texts, model, answer.status, paid, good)
        file.write(json.dumps(asdict(sent)) + "\n")

    return write


def main() -> None:
    """The process: PORT JOURNAL."""
    server = OpenAIServer(int(sys.argv[1]), _write_to(Path(sys.argv[2])))
    chance = random.Random(0)  # noqa: S311 - the same faults each time

    def control(path: str, body: Any) -> Any:
        if path.endswith("/script"):
            server.script(*(Answer(**answer) for answer in body))
        elif path.endswith("/release"):
            server.release()
        elif path.endswith("/rules"):
            rules = Rules(**body)
            server.rule(lambda request: rules.answer(request, chance))
        return {}

    server.control = control
    server.serve()


if __name__ == "__main__":
    main()
