"""How fast queues are drained of jobs that do nothing: `make bench NAME=queue`.

evervec's claim and complete, with and without the fold of the log, against pgmq's statements,
pgqueuer and procrastinate: batches of 100, one process and two. Then evervec alone with ever more
jobs in the queue, and the plan of its claim. Printed, and written to docs/benchmarks.md unless
--quick.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import psycopg
from psycopg import sql
from rich.console import Console

from bench.report import Report, Table, write
from bench.server import ROOT, Server, running_server, scalar, script, versions
from bench.stats import ratio, thousands
from bench.venvs import interpreter, run

BATCH = 100
PGQUEUER = "1.6.0"
PROCRASTINATE = "3.10.0"
GROWTH = (10_000, 100_000, 1_000_000)
GROWTH_BAR = 0.8


@dataclass
class Stage:
    """Fills queues, and lets processes drain them."""

    server: Server
    owner: psycopg.Connection
    superuser: psycopg.Connection  # fires no trigger

    def create(self) -> None:
        """The tables and schemas of all."""
        self.owner.execute(script("queue.sql"))
        self.owner.execute(script("pgmq.sql"))
        run(pgqueuer(), "-m", "pgqueuer", "--pg-dsn", self.server.url, "install")
        run(procrastinate(), "-m", "bench.peers.procrastinate_drain", "install", self.server.url)

    def fill_evervec(
        self, jobs: int, *, table: str = "note", unchanged: bool = False, folded: bool = False
    ) -> None:
        """Jobs through real triggers. Unchanged: the rows have vectors, and the texts of these."""
        name = sql.Identifier("queue", table)
        self.superuser.execute(
            "truncate queue.note, queue.note_embedding, queue.cached, queue.cached_embedding,"
            " evervec.change_log, evervec.processing_queue, evervec.job_receipt,"
            " evervec.embedding_cache"
        )
        self.owner.execute("select evervec.fold()")
        texts = sql.SQL("insert into {} select g, 'text ' || g from generate_series(1, %s) g")
        if unchanged:
            self.superuser.execute(texts.format(name), [jobs])
            self.superuser.execute(
                sql.SQL(
                    "insert into {} (id, content_hash, model_id, embedding) select t.id,"
                    " sha256(convert_to(t.body, 'UTF8')), s.model_id, '[1]' from {} t,"
                    " evervec.source s where s.name = {}"
                ).format(sql.Identifier("queue", f"{table}_embedding"), name, sql.Literal(table))
            )
            self.owner.execute(sql.SQL("update {} set body = body || '!'").format(name))
            self.superuser.execute(sql.SQL("update {} set body = 'text ' || id").format(name))
        else:
            self.owner.execute(texts.format(name), [jobs])
        if folded:
            while scalar(self.owner, "select evervec.fold()"):
                pass
        self.superuser.execute("vacuum (analyze)")

    def fill_pgmq(self, jobs: int) -> None:
        """Messages as small as a key."""
        self.superuser.execute("truncate pgmq.q_bench")
        self.owner.execute(
            "insert into pgmq.q_bench (vt, message) select clock_timestamp(),"
            " jsonb_build_object('id', g) from generate_series(1, %s) g",
            [jobs],
        )
        self.superuser.execute("vacuum (analyze) pgmq.q_bench")

    def fill_pgqueuer(self, jobs: int) -> None:
        """By its own call."""
        self.superuser.execute("truncate pgqueuer, pgqueuer_log, pgqueuer_statistics")
        self.together([_pgqueuer("fill")], jobs, jobs)
        self.superuser.execute("vacuum (analyze)")

    def fill_procrastinate(self, jobs: int) -> None:
        """By its own call."""
        self.superuser.execute("truncate procrastinate_jobs, procrastinate_events cascade")
        self.together([_procrastinate("fill")], jobs, jobs)
        self.superuser.execute("vacuum (analyze)")

    def scans(self) -> list[tuple[str, str, int]]:
        """How one claim reads the queue: index, condition, rows of all its passes together."""
        seen: list[str] = []
        with psycopg.connect(self.server.superuser_url) as conn:
            conn.add_notice_handler(lambda notice: seen.append(notice.message_primary or ""))
            for setting in _EXPLAIN:
                conn.execute(setting)
            conn.execute("select from evervec.claim_jobs(%s)", [BATCH])
            conn.rollback()
        found: dict[tuple[str, str], int] = {}
        for message in seen:
            _, marker, plan = message.partition("plan:\n")
            for node in _nodes(json.loads(plan)["Plan"]) if marker else ():
                if node.get("Relation Name") == "processing_queue" and "Scan" in node["Node Type"]:
                    how = node.get("Index Name", node["Node Type"])
                    key = how, node.get("Index Cond", node.get("Filter", ""))
                    found[key] = found.get(key, 0) + round(
                        node["Actual Rows"] * node["Actual Loops"]
                    )
        return [(how, condition, rows) for (how, condition), rows in found.items()]

    def together(self, commands: Sequence[Sequence[str]], jobs: int, *numbers: int) -> float:
        """Run processes that begin together; seconds from then until the last has ended.

        RuntimeError when they have not done so many jobs.
        """
        with ExitStack() as stack:
            processes = []
            for command in commands:
                process = subprocess.Popen(
                    [*command, self.server.url, *map(str, numbers)],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    text=True,
                    cwd=ROOT,
                )
                stack.callback(process.wait)
                stack.callback(process.terminate)
                processes.append(process)
            for process in processes:
                _line(process)
            for process in processes:
                print(file=process.stdin, flush=True)
            found = [json.loads(_line(process)) for process in processes]
        done = sum(one["jobs"] for one in found)
        if done != jobs:
            raise RuntimeError(f"{done} jobs were done where there were {jobs}: {commands[0]}")
        ended: float = max(one["ended"] for one in found)
        return ended - float(min(one["began"] for one in found))


_EXPLAIN = (
    "load 'auto_explain'",
    "set client_min_messages = notice",
    "set auto_explain.log_level = notice",
    "set auto_explain.log_min_duration = 0",
    "set auto_explain.log_nested_statements = on",
    "set auto_explain.log_analyze = on",
    "set auto_explain.log_timing = off",
    "set auto_explain.log_format = json",
)


def _nodes(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    for child in node.get("Plans", ()):
        yield from _nodes(child)


def _line(process: subprocess.Popen[str]) -> str:
    line = process.stdout.readline() if process.stdout else ""
    if not line:
        raise RuntimeError(f"a process ended without a word: {process.args!r}")
    return line


def pgqueuer() -> Path:
    """Its interpreter."""
    return interpreter(f"pgqueuer-{PGQUEUER}", f"pgqueuer[asyncpg]=={PGQUEUER}", "uvloop")


def procrastinate() -> Path:
    """Its interpreter."""
    wanted = f"procrastinate=={PROCRASTINATE}"
    return interpreter(f"procrastinate-{PROCRASTINATE}", wanted, "psycopg[binary]")


def _pgqueuer(command: str) -> list[str]:
    return [str(pgqueuer()), "-m", "bench.peers.pgqueuer_drain", command]


def _procrastinate(command: str) -> list[str]:
    return [str(procrastinate()), "-m", "bench.peers.procrastinate_drain", command]


@dataclass(frozen=True)
class Contender:
    """One line of the table: how its queue is filled, and who drains it."""

    name: str
    jobs: int
    fill: Callable[[Stage, int], None]
    command: Callable[[], list[str]]
    numbers: tuple[int, ...] = (BATCH,)  # what its command is told

    def seconds(self, stage: Stage, jobs: int, processes: int) -> float:
        """Fill it, drain it."""
        self.fill(stage, jobs)
        return stage.together([self.command()] * processes, jobs, *self.numbers)


def _sql_drain(name: str) -> Callable[[], list[str]]:
    return lambda: [sys.executable, "-m", "bench.peers.sql_drain", name]


def _evervec(
    name: str, table: str = "note", *, unchanged: bool = False, folded: bool, sessions: int = 1
) -> Contender:
    return Contender(
        name,
        20_000,
        lambda stage, jobs: stage.fill_evervec(
            jobs, table=table, unchanged=unchanged, folded=folded
        ),
        _sql_drain("unchanged" if unchanged else "evervec"),
        (BATCH, sessions),
    )


# Two sessions in one process: as a worker of ours has several, and pgqueuer's and procrastinate's.
SESSIONS = 2

PGMQ = Contender("pgmq's read and delete", 50_000, Stage.fill_pgmq, _sql_drain("pgmq"), (BATCH, 1))
CLAIMED = _evervec("evervec", folded=True)
CACHED = _evervec("evervec, vectors also cached", "cached", folded=True)
UNCHANGED = _evervec("evervec, texts unchanged", unchanged=True, folded=True)
FOLDED = _evervec("evervec, fold included, two sessions", folded=False, sessions=SESSIONS)
FOLDED_UNCHANGED = _evervec(
    "evervec, texts unchanged, fold included, two sessions",
    unchanged=True,
    folded=False,
    sessions=SESSIONS,
)
PGQUEUER_DRAIN = Contender(
    f"pgqueuer {PGQUEUER}",
    20_000,
    Stage.fill_pgqueuer,
    lambda: _pgqueuer("drain"),
    (BATCH, 1),
)
PROCRASTINATE_DRAIN = Contender(
    f"procrastinate {PROCRASTINATE}",
    3_000,
    Stage.fill_procrastinate,
    lambda: _procrastinate("drain"),
    (10,),
)
CONTENDERS = (
    PGMQ,
    CLAIMED,
    UNCHANGED,
    CACHED,
    FOLDED,
    FOLDED_UNCHANGED,
    PGQUEUER_DRAIN,
    PROCRASTINATE_DRAIN,
)
# What of evervec's is compared with whom, and how many times as fast it should be.
BARS = (
    (CLAIMED, PGMQ, 0.7),
    (UNCHANGED, PGMQ, 0.7),
    (FOLDED, PGQUEUER_DRAIN, 1.5),
    (FOLDED_UNCHANGED, PGQUEUER_DRAIN, 1.5),
    (FOLDED, PROCRASTINATE_DRAIN, 25.0),
    (FOLDED_UNCHANGED, PROCRASTINATE_DRAIN, 25.0),
)

Rates = dict[tuple[str, int], list[float]]  # jobs a second by contender and processes, one a round


def main(arguments: Sequence[str] | None = None) -> None:
    """Run as a command."""
    options = _options(arguments)
    console = Console()
    with (
        running_server(autovacuum="on") as server,
        server.connect() as owner,
        server.connect_superuser() as superuser,
    ):
        stage = Stage(server, owner, superuser)
        stage.create()
        rates = _measure(stage, options, console)
        tables = [_bars(rates), *(_rates(rates, count) for count in (1, 2))]
        if not options.only:
            tables += [_growth(stage, options, console), _plan(stage, options)]
        report = Report(
            name="queue",
            versions=versions(owner) | {"pgqueuer": PGQUEUER, "procrastinate": PROCRASTINATE},
            settings=server.settings,
            facts={"batch": f"{BATCH} jobs", "rounds": str(options.rounds)},
            tables=tuple(tables),
        )
    report.print(console)
    if not (options.quick or options.only or options.no_docs):
        console.print(f"Written to {write(report)}")


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench.queue", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few jobs and rounds; writes no docs")
    parser.add_argument("--no-docs", action="store_true", help="print only")
    parser.add_argument("--rounds", type=int, help="drains of each queue (default 5)")
    parser.add_argument(
        "--only", action="append", metavar="TEXT", help="contenders whose name has it; no docs"
    )
    options = parser.parse_args(arguments)
    options.rounds = options.rounds or (2 if options.quick else 5)
    return options


def _measure(stage: Stage, options: argparse.Namespace, console: Console) -> Rates:
    """All rounds; before them one that does not count."""
    rates: defaultdict[tuple[str, int], list[float]] = defaultdict(list)
    chosen = [c for c in CONTENDERS if not options.only or any(t in c.name for t in options.only)]
    for number in range(options.rounds + 1):
        for processes in (1, 2):
            first = number % len(chosen)
            for contender in [*chosen[first:], *chosen[:first]]:
                jobs = contender.jobs // 10 if number == 0 or options.quick else contender.jobs
                rate = jobs / contender.seconds(stage, jobs, processes)
                if number > 0:
                    rates[contender.name, processes].append(rate)
        console.print(f"round {number} of {options.rounds}")
    return dict(rates)


def _bars(rates: Rates) -> Table:
    lines = []
    for ours, theirs, bar in BARS:
        if (ours.name, 1) not in rates or (theirs.name, 1) not in rates:
            continue
        times = median(rates[ours.name, 1]) / median(rates[theirs.name, 1])
        met = "met" if times >= bar else "MISSED"
        lines.append((f"{ours.name} : {theirs.name}", ratio(times), f"≥ {ratio(bar)}", met))
    return Table("Queues side by side, one process", ("", "ratio", "bar", ""), tuple(lines))


def _rates(rates: Rates, processes: int) -> Table:
    lines = []
    for (name, count), found in rates.items():
        if count == processes:
            spread = f"{thousands(min(found))} – {thousands(max(found))}"
            lines.append((name, thousands(median(found)), spread))
    title = "Jobs a second, one process" if processes == 1 else "Jobs a second, two processes"
    return Table(title, ("", "median", "min – max"), tuple(lines))


def _growth(stage: Stage, options: argparse.Namespace, console: Console) -> Table:
    """The whole queue drained by one process; ratios to the shortest."""
    sizes = [size // 10 for size in GROWTH] if options.quick else GROWTH
    found = {}
    for size in sizes:
        console.print(f"{thousands(size)} jobs …")
        rounds = max(1, min(options.rounds, 200_000 // size))
        found[size] = [size / CLAIMED.seconds(stage, size, 1) for _ in range(rounds)]
    reference = median(found[sizes[0]])
    lines = []
    for size, rates in found.items():
        times = median(rates) / reference
        lines.append(
            (
                f"{thousands(size)} jobs queued",
                thousands(median(rates)),
                f"{thousands(min(rates))} – {thousands(max(rates))}",
                ratio(times),
                "met" if times >= GROWTH_BAR else "MISSED",
            )
        )
    columns = ("", "jobs a second", "min – max", "ratio", f"at least {ratio(GROWTH_BAR)}")
    return Table("Claim and complete while the queue is long", columns, tuple(lines))


def _plan(stage: Stage, options: argparse.Namespace) -> Table:
    """Every look of one claim at the queue, when that is long."""
    jobs = GROWTH[-1] // (10 if options.quick else 1)
    CLAIMED.fill(stage, jobs)
    lines = tuple(
        (f"{how}: `{condition}`", thousands(rows)) for how, condition, rows in stage.scans()
    )
    title = f"How a claim of {BATCH} reads a queue of {thousands(jobs)} jobs (EXPLAIN ANALYZE)"
    return Table(title, ("scan of processing_queue", "rows"), lines)


if __name__ == "__main__":
    main()
