"""The soak: writers, two workers, an API that fails at every fifth call, kills, a server crash.

`make soak` (ten minutes; SECONDS=60 for less; ARGS=--write keeps the figures in the docs). At its
end all is healthy again, what gave up is retried, and everything has to be consistent.
"""

from __future__ import annotations

import argparse
import platform
import random
import re
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import psycopg

from tests.faults.stage import Stage, consistent, staged
from tests.support.api import Rules
from tests.support.cluster import OwnCluster, running_own_cluster
from tools.chain import ROOT

DOCS = ROOT / "docs" / "reliability.md"

KILL_SECONDS = 15.0
FAILING = 0.2
BATCH = 50
WORKER = {
    "EVERVEC_BATCH_SIZE": str(BATCH),
    "EVERVEC_REQUEST_TIMEOUT": "2",
    "EVERVEC_LEASE_SECONDS": "5",
}

# What a writer does next, and how often of a hundred times.
MIX = {"insert": 40, "update": 38, "delete": 15, "bulk": 2, "no-op": 5}


@dataclass
class Soak:
    """One run: what goes on at the same time, and what is counted."""

    stage: Stage
    cluster: OwnCluster
    seconds: float
    seed: int
    over: threading.Event = field(default_factory=threading.Event)
    crashed: threading.Event = field(default_factory=threading.Event)
    counts: Counter[str] = field(default_factory=Counter)
    faults: list[BaseException] = field(default_factory=list)

    def run(self) -> dict[str, str]:
        """Everything at once for the time, then the end; the figures. Raises AssertionError."""
        self.stage.conn.execute("update evervec.model set batch_texts = %s", [BATCH])
        self.stage.api.rules(Rules(failing=FAILING, slow=0.02))
        self.stage.write(1000)
        threads = [
            threading.Thread(target=self._watched, args=(work,))
            for work in (lambda: self._write(0), lambda: self._write(1), self._kill, self._crash)
        ]
        for thread in threads:
            thread.start()
        self.over.wait(self.seconds)
        self.over.set()
        for thread in threads:
            thread.join()
        if self.faults:
            raise self.faults[0]
        self._recover()
        return self._figures()

    def _watched(self, work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException as error:  # of a thread: raised by run()
            self.faults.append(error)
            self.over.set()

    # -- what goes on ------------------------------------------------------------------------------

    def _write(self, writer: int) -> None:
        """The application: it reconnects when the server was away, and repeats nothing."""
        chance = random.Random(self.seed + writer)  # noqa: S311
        number = 0
        conn: psycopg.Connection | None = None
        while not self.over.wait(chance.uniform(0.0, 0.04)):
            number += 1
            action = chance.choices(list(MIX), list(MIX.values()))[0]
            try:
                conn = conn or self.stage.connect()
                self.counts["changes"] += _change(conn, action, chance, f"w{writer} {number}")
            except psycopg.OperationalError:
                self.counts["writes refused"] += 1
                conn = None
                time.sleep(0.1)

    def _kill(self) -> None:
        """Two workers; every 15 seconds one of them is killed, and another takes its place.

        One that finds no server when it starts says so and ends; as under systemd, it is started
        again.
        """
        running = [self.stage.workers.start(**WORKER) for _ in range(2)]
        next_kill = time.monotonic() + KILL_SECONDS
        while not self.over.wait(0.5):
            for place, worker in enumerate(running):
                if worker.poll() is not None:
                    assert self.crashed.is_set(), "a worker ended by itself"
                    running[place] = self.stage.workers.start(**WORKER)
            if time.monotonic() >= next_kill:
                next_kill += KILL_SECONDS
                victim = running.pop(0)
                victim.kill()
                victim.wait()
                self.counts["workers killed"] += 1
                running.append(self.stage.workers.start(**WORKER))
        for worker in running:
            # One that has only just been started does not listen yet: the signal ends it.
            ended = self.stage.workers.stop(worker)
            assert ended in (0, -signal.SIGTERM) or self.crashed.is_set()

    def _crash(self) -> None:
        if not self.over.wait(self.seconds / 2):
            self.crashed.set()
            self.cluster.crash()
            self.counts["server crashes"] += 1
            time.sleep(1)
            self.cluster.start()
            # Who was starting meanwhile may take a moment to find out.
            self.over.wait(10)
            self.crashed.clear()

    def _recover(self) -> None:
        """The API is well again; what gave up meanwhile is retried."""
        self.stage.conn.close()
        self.stage.conn = self.stage.connect()
        self.stage.api.rules(Rules())
        self.counts["gave up, retried"] = self.stage.value(
            "select count(*) from evervec.dead_letter where resolved_at is null"
        )
        self.stage.conn.execute("select evervec.resume_model('wire')")
        while self.stage.value("select evervec.retry_dead_letters()"):
            pass
        assert self.stage.workers.drain(timeout=300, **WORKER) == 0

    # -- the end -----------------------------------------------------------------------------------

    def _figures(self) -> dict[str, str]:
        """What was counted, after everything was found consistent."""
        journal = self.stage.api.journal
        good = Counter(text for sent in journal if sent.good for text in sent.texts)
        again = sum(times - 1 for times in good.values())
        wasted = Counter[str]()
        for line in self.stage.workers.said:
            if line["event"] in ("row_locked", "result_discarded"):
                wasted[line["event"]] += line["jobs"]
        consistent(self.stage, paid_twice=sys.maxsize)
        in_flight = BATCH * (self.counts["workers killed"] + 2 * self.counts["server crashes"])
        allowed = in_flight + wasted["row_locked"] + wasted["result_discarded"]
        assert again <= allowed, f"{again} texts paid twice for a good answer, {allowed} at most"

        errors = sum(not sent.good for sent in journal)
        numbers = {
            "seconds": round(self.seconds),
            "rows at the end": self.stage.value("select count(*) from note"),
            "changes committed": self.counts["changes"],
            "writes refused while the server was away": self.counts["writes refused"],
            "calls of the API": len(journal),
            "of them failed": errors,
            "texts sent": sum(len(sent.texts) for sent in journal),
            "workers killed": self.counts["workers killed"],
            "server crashes": self.counts["server crashes"],
            "jobs that gave up, then retried": self.counts["gave up, retried"],
            "texts paid twice: the first answer was of no use": self.stage.api.paid_twice - again,
            "texts paid twice: in flight at a kill, or the row was held": again,
            "rows without a vector, stale vectors, orphans, lost jobs": 0,
        }
        return {name: f"{number:,}" for name, number in numbers.items()}


def _change(conn: psycopg.Connection, action: str, chance: random.Random, text: str) -> int:
    """One transaction of the application; how many rows it changed."""
    key = chance.randrange(1, 3000)
    if action == "insert":
        query = (
            "insert into note values (%(key)s, %(text)s)"
            " on conflict (id) do update set body = excluded.body"
        )
    elif action == "update":
        query = "update note set body = %(text)s where id = %(key)s"
    elif action == "delete":
        query = "delete from note where id between %(key)s and %(key)s + 2"
    elif action == "bulk":
        query = (
            "update note set body = %(text)s || ' ' || id"
            " where id between %(key)s and %(key)s + 100"
        )
    else:
        query = "update note set body = body where id = %(key)s"
    return conn.execute(query.encode(), {"key": key, "text": text}).rowcount


def main(arguments: Sequence[str] | None = None) -> None:
    """Run as a command."""
    parser = argparse.ArgumentParser(prog="tests.faults.soak", description=__doc__)
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--seed", type=int, default=random.randrange(1_000_000))  # noqa: S311
    parser.add_argument("--write", action="store_true", help="keep the figures in the docs")
    options = parser.parse_args(arguments)
    print(f"Soaking for {options.seconds:g} s, seed {options.seed} …", flush=True)
    folder = Path(tempfile.mkdtemp(prefix="evervec-soak-"))
    with (
        running_own_cluster() as cluster,
        cluster.cluster.database(cluster.cluster.template()) as database,
        staged(database.url, folder) as stage,
    ):
        version = stage.value("show server_version")
        try:
            figures = Soak(stage, cluster, options.seconds, options.seed).run()
        except BaseException:
            print(f"The logs of workers and API are in {folder}", file=sys.stderr)
            raise
    for name, number in figures.items():
        print(f"  {name:<60} {number:>10}")
    print("Consistent.")
    if options.write:
        _write(figures, version)
    with suppress(OSError):
        for path in folder.iterdir():
            path.unlink()
        folder.rmdir()


def _write(figures: dict[str, str], version: str) -> None:
    """Put the figures into their section of the docs."""
    lines = [
        f"{datetime.now(UTC).date()}; PostgreSQL {version}, {platform.machine()}.",
        "",
        "| | |",
        "| --- | --: |",
        *(f"| {name} | {number} |" for name, number in figures.items()),
    ]
    section = re.compile(r"(<!-- soak -->\n).*(<!-- /soak -->)", re.DOTALL)
    text = "\n".join(lines)
    DOCS.write_text(section.sub(lambda m: f"{m[1]}\n{text}\n\n{m[2]}", DOCS.read_text()))
    print(f"Written to {DOCS}")


if __name__ == "__main__":
    main()
