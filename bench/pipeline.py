"""How fast rows become vectors, end to end: `make bench NAME=pipeline`.

A table of 10,000 rows of 500 characters, 1,536 dimensions, an embeddings API that answers at once
or after 100 ms; one worker process and two, with the default settings and with the best.
`--pgai` adds pgai's worker (its package with what it needs: 6 GB). `--memory` watches one worker
over 200,000 rows, `--first-fill` compares a load followed by its index with one into a standing
index. Printed, and written to docs/benchmarks.md unless --quick.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from statistics import median
from typing import LiteralString

import psycopg
from psycopg import sql
from rich.console import Console

from bench import pgai, staging
from bench.api import DIMENSIONS, Api, running_api
from bench.report import Report, Table, write
from bench.server import Server, running_server, scalar, script, versions
from bench.stats import duration, ratio, size, thousands
from bench.workers import Workers

LATENCIES = (0.0, 0.1)
# Found by trying: more requests at a time than keep two cores busy only cost memory.
BEST = {"EVERVEC_CONCURRENCY": "3"}


@dataclass(frozen=True)
class Contender:
    """A worker with its settings, and the table that it works for."""

    name: str
    table: str
    environment: Mapping[str, str] = field(default_factory=dict)
    processing: LiteralString | None = None  # of pgai: the SQL of its settings

    @property
    def relation(self) -> sql.Identifier:
        """The table with the texts."""
        return sql.Identifier("pipeline", self.table)

    @property
    def vectors(self) -> sql.Identifier:
        """The table with the vectors."""
        return sql.Identifier("pipeline", f"{self.table}_embedding")


EVERVEC = Contender("evervec, defaults", "standard")
EVERVEC_BEST = Contender("evervec, best settings", "uncached", BEST)
PGAI = Contender(f"pgai {pgai.VERSION}, defaults", "pgai", processing="ai.processing_default()")
PGAI_BEST = Contender(
    f"pgai {pgai.VERSION}, best settings",
    "pgai",
    processing="ai.processing_default(batch_size => 500, concurrency => 4)",
)


@dataclass(frozen=True)
class Run:
    """One run of one contender."""

    seconds: float  # from the first request to the commit of the last vector, and the fold before
    peak: int  # bytes of the largest process
    requests: int


Key = tuple[str, int, float]  # contender, processes, latency
Runs = dict[Key, list[Run]]

# Ours, theirs, processes, latency; how many times as fast ours should be.
BARS = (
    (EVERVEC_BEST, PGAI_BEST, 1, 0.0, 6.0),
    (EVERVEC, PGAI, 1, 0.1, 18.0),
    (EVERVEC_BEST, PGAI_BEST, 2, 0.0, 5.0),
)


@dataclass
class Bench:
    """The server, and the connections that set the stage."""

    server: Server
    owner: psycopg.Connection
    superuser: psycopg.Connection  # fires no trigger

    def create(self, rows: int, *, with_pgai: bool) -> None:
        """Tables, models, and `rows` texts to fill them from."""
        staging.fill(self.superuser, rows)
        self.owner.execute(script("pipeline.sql", dimensions=sql.Literal(DIMENSIONS)))
        if with_pgai:
            pgai.install(self.server)
            with psycopg.connect(self.server.superuser_url) as conn:
                conn.execute(script("pipeline_pgai.sql", dimensions=sql.Literal(DIMENSIONS)))

    def clear(self) -> None:
        """No rows, no vectors, nothing queued, nothing cached."""
        tables = ["pipeline.standard", "pipeline.uncached", "pipeline.pgai", "pipeline.indexed"]
        found = self.superuser.execute(
            "select format('%I.%I', schemaname, tablename) from pg_tables"
            " where schemaname = 'pipeline'"
            " and (tablename like '%\\_embedding' or tablename like '%\\_queue%')"
        ).fetchall()
        tables += [name for (name,) in found]
        tables += [f"evervec.{t}" for t in ("change_log", "processing_queue", "job_receipt")]
        tables += ["evervec.embedding_cache", "evervec.batch_log"]
        self.superuser.execute(f"truncate {', '.join(tables)} cascade".encode())
        self.owner.execute("select evervec.fold()")
        self.superuser.execute("checkpoint")

    def write(self, relation: sql.Identifier, rows: int, first: int = 1) -> None:
        """Insert rows of 500 characters through the triggers, no two texts alike."""
        self.owner.execute(
            sql.SQL(
                "insert into {} (id, body)"
                " select g, left(g || ' ' || t.title || ' ' || t.body, 500)"
                " from generate_series({}::bigint, {}) g"
                " join bench.short t on t.id = 1 + g % (select max(id) from bench.short)"
            ).format(relation, sql.Literal(first), sql.Literal(first + rows - 1))
        )

    def run(self, contender: Contender, processes: int, api: Api, rows: int) -> Run:
        """Fill the table, let the workers work, look whether every row has its vector."""
        self.clear()
        self.write(contender.relation, rows)
        self.superuser.execute(sql.SQL("vacuum (analyze) {}").format(contender.relation))
        api.reset()
        if contender.processing:
            peak = self.start(contender, processes, api).watch()
            began = api.usage().first_at
        else:
            began, peak = self._released(contender, processes, api, rows)
        usage = api.usage()
        vectors, ended = self._written(contender)
        if vectors != rows or usage.texts < rows or began is None:
            raise RuntimeError(
                f"{contender.name}: {vectors} vectors and {usage.texts} texts where {rows} are due"
            )
        return Run(ended - began, peak, usage.requests)

    def _released(
        self, contender: Contender, processes: int, api: Api, rows: int
    ) -> tuple[float, int]:
        """Start the workers of a paused source, resume it: when that was, and the peak memory.

        Loading programs is not what is compared; folding the log is.
        """
        source = sql.Literal(contender.table)
        self.owner.execute(sql.SQL("select evervec.pause({})").format(source))
        workers = self.start(contender, processes, api, command=("worker",))
        workers.until_at_rest()
        began = time.time()
        self.owner.execute(sql.SQL("select evervec.resume({})").format(source))
        left = sql.SQL("select log + queued + processing + retrying from evervec.pending({})")
        workers.until(
            lambda: api.usage().texts >= rows and not scalar(self.owner, left.format(source))
        )
        workers.stop()
        return began, workers.watch()

    def start(
        self,
        contender: Contender,
        processes: int,
        api: Api,
        command: Sequence[str] = ("worker", "--drain"),
    ) -> Workers:
        """Its processes; they end when nothing is left, but for evervec's with another command."""
        environment = {"OPENAI_API_KEY": "none", "OPENAI_BASE_URL": api.url}
        if contender.processing:
            self.superuser.execute(
                sql.SQL(
                    "update ai.vectorizer set config = jsonb_set(jsonb_set(config,"
                    " '{{processing}}', {}), '{{embedding,base_url}}', {})"
                ).format(
                    sql.SQL(contender.processing),
                    sql.Literal(f'"{api.url}"'),
                )
            )
            return Workers(
                pgai.worker(self.server), {**environment, **pgai.environment()}, processes
            )
        environment |= {"EVERVEC_DATABASE_URL": self.server.url, **contender.environment}
        # Who waits for work looks for it often, so that all begin when the source is resumed.
        environment["EVERVEC_POLL_SECONDS"] = "0.05"
        return Workers([sys.executable, "-m", "evervec", *command], environment, processes)

    def _written(self, contender: Contender) -> tuple[int, float]:
        """How many vectors there are, and when the last one was committed."""
        query = sql.SQL(
            "select count(distinct id) filter (where embedding is not null),"
            " max(extract(epoch from pg_xact_commit_timestamp(xmin))) from {}"
        ).format(contender.vectors)
        count, ended = self.superuser.execute(query).fetchall()[0]
        return int(count), float(ended or 0)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run as a command."""
    options = _options(arguments)
    console = Console()
    with (
        running_server(autovacuum="on", track_commit_timestamp="on") as server,
        server.connect() as owner,
        server.connect_superuser() as superuser,
    ):
        bench = Bench(server, owner, superuser)
        rows = 2_000 if options.quick else 10_000
        bench.create(rows, with_pgai=options.pgai)
        if options.memory:
            report = _memory(bench, options, console)
        elif options.first_fill:
            report = _first_fill(bench, rows, options, console)
        else:
            report = _throughput(bench, rows, options, console)
    report.print(console)
    partial = options.quick or not (options.pgai or options.memory or options.first_fill)
    if not (partial or options.no_docs):
        console.print(f"Written to {write(report)}")


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench.pipeline", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few rows, few rounds; writes no docs")
    parser.add_argument("--no-docs", action="store_true", help="print only")
    parser.add_argument("--rounds", type=int, help="runs of each contender (default 5)")
    parser.add_argument("--pgai", action="store_true", help="pgai's worker too; needed for docs")
    parser.add_argument("--memory", action="store_true", help="one worker over 200,000 rows")
    parser.add_argument("--first-fill", action="store_true", help="with an index on the vectors")
    options = parser.parse_args(arguments)
    options.rounds = options.rounds or (1 if options.quick else 5)
    return options


def _throughput(bench: Bench, rows: int, options: argparse.Namespace, console: Console) -> Report:
    """All rounds; before them one that does not count."""
    contenders = [EVERVEC, EVERVEC_BEST, *((PGAI, PGAI_BEST) if options.pgai else ())]
    runs: defaultdict[Key, list[Run]] = defaultdict(list)
    with ExitStack() as stack:
        apis = {latency: stack.enter_context(running_api(latency)) for latency in LATENCIES}
        for number in range(options.rounds + 1):
            first = number % len(contenders)
            for latency, api in apis.items():
                for processes in (1, 2):
                    for contender in [*contenders[first:], *contenders[:first]]:
                        some = rows // 10 if number == 0 else rows
                        run = bench.run(contender, processes, api, some)
                        if number > 0:
                            runs[contender.name, processes, latency].append(run)
            console.print(f"round {number} of {options.rounds}")
    rates = [
        _rates(runs, rows, processes, latency) for latency in LATENCIES for processes in (1, 2)
    ]
    return _report(
        bench,
        "pipeline",
        (*([_bars(runs)] if options.pgai else []), *rates),
        rows=f"{thousands(rows)} of {staging.SHORT_CHARACTERS} characters",
        best=", ".join(f"{name} = {value}" for name, value in BEST.items())
        + ", p_cache => false; pgai: batch_size => 500, concurrency => 4",
        rounds=str(options.rounds),
    )


def _bars(runs: Runs) -> Table:
    lines = []
    for ours, theirs, processes, latency, bar in BARS:
        mine, other = (runs[name, processes, latency] for name in (ours.name, theirs.name))
        times = median(r.seconds for r in other) / median(r.seconds for r in mine)
        share = max(r.peak for r in mine) / max(r.peak for r in other)
        met = "met" if times >= bar and share <= 1 else "MISSED"
        title = f"{ours.name} : {theirs.name}, {_processes(processes)}, {_latency(latency)}"
        lines.append((title, ratio(times), f"≥ {bar:.0f} ×", ratio(share), "≤ 1 ×", met))
    columns = ("", "speed", "bar", "memory", "bar", "")
    return Table("Side by side", columns, tuple(lines))


def _rates(runs: Runs, rows: int, processes: int, latency: float) -> Table:
    lines = []
    for (name, count, after), found in runs.items():
        if (count, after) == (processes, latency):
            rates = [rows / run.seconds for run in found]
            lines.append(
                (
                    name,
                    thousands(median(rates)),
                    f"{thousands(min(rates))} – {thousands(max(rates))}",
                    size(max(run.peak for run in found)),
                    thousands(median(run.requests for run in found)),
                )
            )
    title = f"Rows a second, {_processes(processes)}, {_latency(latency)}"
    columns = ("", "median", "min – max", "peak memory of a process", "requests")
    return Table(title, columns, tuple(lines))


def _processes(count: int) -> str:
    return "one process" if count == 1 else f"{count} processes"


def _latency(seconds: float) -> str:
    return f"API after {seconds * 1e3:.0f} ms" if seconds else "API at once"


def _memory(bench: Bench, options: argparse.Namespace, console: Console) -> Report:
    """Resident memory of one worker with its defaults, while it embeds row after row."""
    rows = 20_000 if options.quick else 200_000
    marks = [rows // 10 * number for number in (1, 2, 4, 6, 8, 10)]
    found: dict[int, int] = {}
    samples: list[tuple[int, int]] = []  # texts so far, bytes
    with running_api(0.0) as api:
        bench.clear()
        # More than are looked at: with its last batches a worker gives memory back.
        bench.write(EVERVEC.relation, rows + rows // 10)
        api.reset()
        workers = bench.start(EVERVEC, 1, api)
        next_look = 0.0

        def look() -> None:
            nonlocal next_look
            if time.monotonic() < next_look:
                return
            next_look = time.monotonic() + 0.25
            resident = workers.resident()
            if resident:
                samples.append((api.usage().texts, resident))

        workers.watch(look, limit=1_800.0)
    for mark in marks:
        found[mark] = next((b for texts, b in samples if texts >= mark), samples[-1][1])
    reference = found[marks[0]]
    lines = [
        (
            f"{thousands(mark)} rows",
            size(bytes_),
            ratio(bytes_ / reference),
            "met" if 0.9 <= bytes_ / reference <= 1.1 else "MISSED",
        )
        for mark, bytes_ in found.items()
    ]
    console.print(f"{len(samples)} samples")
    columns = ("after about", "resident memory", "ratio", "0.9 × to 1.1 ×")
    table = Table("Memory of one worker", columns, tuple(lines))
    return _report(bench, "memory", (table,), rows=thousands(rows), settings="defaults")


def _first_fill(bench: Bench, rows: int, options: argparse.Namespace, console: Console) -> Report:
    """A source with an HNSW index: filled before it is built, and while it stands."""
    contender = Contender("evervec, defaults", "indexed")
    seconds: dict[str, list[float]] = {"load, then index": [], "standing index": []}
    with running_api(0.0, vectors=rows + 1_000) as api:
        for number in range(options.rounds):
            for way, found in seconds.items():
                found.append(_fill_indexed(bench, contender, api, rows, way == "standing index"))
            console.print(f"round {number + 1} of {options.rounds}")
    rates = {way: [rows / one for one in found] for way, found in seconds.items()}
    reference = median(rates["standing index"])
    lines = []
    for way, found in rates.items():
        times = median(found) / reference
        spread = f"{thousands(min(found))} – {thousands(max(found))}"
        bar = "" if way == "standing index" else "met" if times >= 3 else "MISSED"
        took = duration(median(seconds[way]))
        lines.append((way, took, thousands(median(found)), spread, ratio(times), bar))
    columns = ("", "time", "rows a second", "min – max", "ratio", "at least 3 ×")
    table = Table("A first fill with an HNSW index", columns, tuple(lines))
    return _report(bench, "first_fill", (table,), rows=thousands(rows), rounds=str(options.rounds))


def _fill_indexed(bench: Bench, contender: Contender, api: Api, rows: int, standing: bool) -> float:
    """Seconds from the worker's first request until all vectors are there and indexed."""
    if scalar(bench.owner, "select exists (select from evervec.source where name = 'indexed')"):
        bench.owner.execute("select evervec.untrack('indexed')")
        bench.owner.execute("drop table if exists pipeline.indexed_embedding")
    bench.clear()
    bench.owner.execute(
        "select evervec.track('pipeline.indexed', p_template => '{body}', p_model => 'pipeline',"
        " p_backfill => false)"
    )
    if standing:
        bench.write(contender.relation, 100)
        bench.start(contender, 1, api).watch()
    bench.write(contender.relation, rows, first=101)
    api.reset()
    bench.start(contender, 1, api).watch()
    ended = time.time()
    began = api.usage().first_at
    valid = scalar(
        bench.owner,
        "select count(*) from pg_index i where i.indisvalid and i.indrelid ="
        " 'pipeline.indexed_embedding'::regclass and not i.indisprimary",
    )
    if valid != 1 or began is None:
        raise RuntimeError(f"{valid} valid indexes on the vectors where there should be one")
    return ended - began


def _report(bench: Bench, name: str, tables: tuple[Table, ...], **facts: str) -> Report:
    return Report(
        name=name,
        versions=versions(bench.owner),
        settings=bench.server.settings,
        facts={**facts, "dimensions": thousands(DIMENSIONS)},
        tables=tables,
    )


if __name__ == "__main__":
    main()
