"""Limits under competition: a provider that looks at every window, and sessions that all ask."""

from __future__ import annotations

import random
import threading
import time
from concurrent.futures import Future
from functools import partial

import psycopg

from tests.support.sessions import in_thread, sessions
from tests.support.sql_worker import add_toy_model, value

WINDOW = 0.6  # seconds, instead of a minute
REQUESTS, TOKENS, CONCURRENT = 15, 100, 3
SESSIONS, SECONDS = 4, 6.0


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
    conn.execute(
        "update evervec.setting set value = to_jsonb(%s::text) where name = 'rate_window'",
        [f"{WINDOW} seconds"],
    )


def test_no_window_sees_one_request_too_many(conn: psycopg.Connection, url: str) -> None:
    prepare(conn, f"requests_per_minute = {REQUESTS}")
    provider = Provider()

    compete(url, provider, range(1, 2))

    assert provider.most()[0] <= REQUESTS
    # And they are used: at least half of what the windows that passed would hold.
    assert len(provider.arrivals) >= REQUESTS * SECONDS / WINDOW / 2


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
