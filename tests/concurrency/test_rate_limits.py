"""Limits under competition: a provider that looks at every window, and sessions that all ask."""

from __future__ import annotations

import random
import threading
import time
from concurrent.futures import Future
from functools import partial

import psycopg
import pytest

from evervec.config import Config
from evervec.db import Database
from evervec.providers import Providers
from evervec.worker import Worker
from tests.support.openai_server import DIMENSIONS, Answer, OpenAIServer, Request
from tests.support.sessions import in_thread, sessions
from tests.support.sql_worker import add_toy_model, value

WINDOW = 0.6  # seconds, instead of a minute
REQUESTS, TOKENS, CONCURRENT = 15, 100, 3
SESSIONS, SECONDS = 4, 6.0
ROWS = 60


class Provider:
    """Notes when each request arrives, and how many are with it at once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._in_flight = 0
        self.most_in_flight = 0
        self.arrivals: list[tuple[float, int]] = []

    def request(self, tokens: int, dice: random.Random) -> None:
        with self._lock:
            self._in_flight += 1
            self.most_in_flight = max(self.most_in_flight, self._in_flight)
        # The network: a request arrives at any time between its beginning and its end.
        time.sleep(dice.random() * 0.04)
        with self._lock:
            self.arrivals.append((time.monotonic(), tokens))
        time.sleep(dice.random() * 0.02)
        with self._lock:
            self._in_flight -= 1

    def most(self) -> tuple[int, int]:
        """The most requests, and the most tokens, that any window saw."""
        windows = [
            [n for at, n in self.arrivals if begin <= at < begin + WINDOW]
            for begin, _ in self.arrivals
        ]
        return max(len(window) for window in windows), max(sum(window) for window in windows)


def compete(url: str, provider: Provider, tokens: range) -> None:
    """Four sessions ask as fast as they may until the time is up."""
    end = time.monotonic() + SECONDS

    def work(seed: int) -> None:
        dice = random.Random(seed)  # noqa: S311
        with psycopg.connect(url, autocommit=True) as conn:
            while time.monotonic() < end:
                wanted = dice.choice(tokens)
                row = conn.execute(
                    "select call_id, wait from evervec.begin_call('toy', %s)", [wanted]
                ).fetchone()
                assert row is not None
                if row[0] is None:
                    time.sleep(min(row[1].total_seconds(), WINDOW))
                    continue
                provider.request(wanted, dice)
                conn.execute("select evervec.end_call(%s)", [row[0]])

    workers: list[Future[None]] = [in_thread(partial(work, seed)) for seed in range(SESSIONS)]
    for worker in workers:
        worker.result()


def prepare(conn: psycopg.Connection, limits: str) -> None:
    add_toy_model(conn)
    conn.execute(f"update evervec.model set {limits}".encode())
    scale_the_window(conn)


def scale_the_window(conn: psycopg.Connection) -> None:
    conn.execute(
        "update evervec.setting set value = to_jsonb(%s::text) where name = 'rate_window'",
        [f"{WINDOW} seconds"],
    )


def add_model(conn: psycopg.Connection, requests_per_minute: int) -> None:
    """A model of one text a request behind OPENAI_BASE_URL, and rows to embed."""
    conn.execute(
        "select evervec.add_model('toy', 'openai', %s, p_batch_texts => 1,"
        " p_requests_per_minute => %s)",
        [DIMENSIONS, requests_per_minute],
    )
    conn.execute("create table note (id int primary key, title text)")
    conn.execute("insert into note select g, 'note ' || g from generate_series(1, %s) g", [ROWS])
    conn.execute("select evervec.track('note', '{title}', p_model => 'toy', p_index => 'none')")
    scale_the_window(conn)


def drain(url: str, stop: threading.Event) -> int:
    """A worker of four batches at a time; how many rows it embedded."""
    config = Config(database_url=url, batch_size=5, concurrency=4, poll_seconds=0.02)
    with Database(url) as db:
        return Worker(db, Providers(), config, stop=stop).drain().embedded


def test_no_window_sees_one_request_too_many(conn: psycopg.Connection, url: str) -> None:
    prepare(conn, f"requests_per_minute = {REQUESTS}")
    provider = Provider()

    compete(url, provider, range(1, 2))

    assert provider.most()[0] <= REQUESTS
    # And they are used: at least half of what the windows that passed would hold.
    assert len(provider.arrivals) >= REQUESTS * SECONDS / WINDOW / 2


def test_four_workers_never_send_a_sixteenth_request(
    conn: psycopg.Connection, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    arrivals: list[float] = []

    def enforce(_: Request) -> Answer | None:
        now = time.monotonic()
        arrivals.append(now)
        in_window = sum(now - WINDOW < at <= now for at in arrivals)
        return Answer(status=429) if in_window > REQUESTS else None

    add_model(conn, requests_per_minute=REQUESTS)
    with OpenAIServer().running() as server:
        server.rule(enforce)
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        stop = threading.Event()
        running = [in_thread(partial(drain, url, stop)) for _ in range(SESSIONS)]
        embedded = [worker.result() for worker in running]

    # One text a request: what was sent is what was wanted, and nothing was refused.
    assert sum(embedded) == len(arrivals) == ROWS
    assert value(conn, "select count(*) from note_embedding") == ROWS
    assert value(conn, "select count(*) from evervec.model where pause_class is not null") == 0


def test_no_window_sees_too_many_tokens_and_no_moment_too_many_requests(
    conn: psycopg.Connection, url: str
) -> None:
    prepare(conn, f"tokens_per_minute = {TOKENS}, concurrent_requests = {CONCURRENT}")
    provider = Provider()

    compete(url, provider, range(1, 30))

    assert provider.most()[1] <= TOKENS
    assert provider.most_in_flight <= CONCURRENT
    assert provider.arrivals
    assert value(conn, "select count(*) from evervec.model_call") <= len(provider.arrivals)


def test_who_asks_second_waits_for_the_first_and_counts_it(
    conn: psycopg.Connection, url: str
) -> None:
    prepare(conn, "requests_per_minute = 1")
    ask = "select call_id from evervec.begin_call('toy', 1)"
    with sessions(url) as server:
        first, second = server.begin(), server.open()
        assert value(first, ask) is not None
        answer = in_thread(lambda: value(second, ask))
        server.wait_until_blocked(second, by=first)

        first.execute("commit")

        assert answer.result() is None
