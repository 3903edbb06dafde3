"""What noticing changes costs the writer: `make bench NAME=write_overhead`.

The same table bare, with evervec, with pgai's triggers and with Supabase's pattern, side by side on
one server: in every round each contender runs each case once, in another order than before.
Printed, and written to docs/benchmarks.md unless --quick.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.progress import Progress, TextColumn, TimeElapsedColumn

from bench import contenders, pgai, staging
from bench.cases import CASES, Case
from bench.contenders import EVERVEC, PGAI, SUPABASE, Contender
from bench.measure import Bench
from bench.report import Report, Table, write
from bench.server import Server, running_server, versions
from bench.stats import Measurement, Summary, duration, ratio, size, thousands

Runs = Mapping[tuple[str, str], Sequence[Measurement]]


def main(arguments: Sequence[str] | None = None) -> None:
    """Run as a command."""
    options = _options(arguments)
    console = Console()
    cases = [case for case in CASES if not options.case or case.name in options.case]
    rows = 2_000 if options.quick else 10_000
    with running_server() as server:
        contenders.install(server)
        runs = _measure(server, cases, rows, options, console)
        with server.connect() as conn:
            found = versions(conn)
    report = Report(
        name="write_overhead",
        versions=found | {"pgai": pgai.VERSION},
        settings=server.settings,
        facts={
            "rows": f"{thousands(rows)} of {staging.SHORT_CHARACTERS} characters",
            "rounds": str(options.rounds),
            "pgbench": f"{options.seconds} s a run, one thread",
        },
        tables=(_bars(cases, runs), *(_details(case, runs) for case in cases)),
    )
    report.print(console)
    if not (options.quick or options.case or options.no_docs):
        console.print(f"Written to {write(report)}")


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench.write_overhead", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few rows, few rounds; writes no docs")
    parser.add_argument(
        "--rounds", type=int, help="runs of each case by each contender (default 9)"
    )
    parser.add_argument("--seconds", type=int, help="length of a pgbench run (default 5)")
    parser.add_argument("--no-docs", action="store_true", help="print only")
    parser.add_argument(
        "--case", action="append", choices=[case.name for case in CASES], help="only this one"
    )
    options = parser.parse_args(arguments)
    options.rounds = options.rounds or (3 if options.quick else 9)
    options.seconds = options.seconds or (1 if options.quick else 5)
    return options


def _measure(
    server: Server,
    cases: Sequence[Case],
    rows: int,
    options: argparse.Namespace,
    console: Console,
) -> Runs:
    """All rounds; before them one that does not count, which makes WAL files and caches warm."""
    runs: defaultdict[tuple[str, str], list[Measurement]] = defaultdict(list)
    with server.connect_superuser() as superuser, server.connect() as application:
        staging.fill(superuser, rows)
        texts = superuser.execute("select id, title, body from bench.short order by id").fetchall()
        bench = Bench(server, superuser, application, texts, options.seconds)
        columns = (TextColumn("{task.description}"), TimeElapsedColumn())
        with Progress(*columns, console=console, transient=True) as progress:
            task = progress.add_task("")
            for number in range(options.rounds + 1):
                for case in cases:
                    progress.update(task, description=f"round {number}: {case.title}")
                    for contender in _rotated(case.contenders, number):
                        measurement = bench.run(case, contender)
                        if number > 0:
                            runs[case.name, contender.name].append(measurement)
    return runs


def _rotated(contenders: Sequence[Contender], number: int) -> Sequence[Contender]:
    """Each goes first as often as the others."""
    first = number % len(contenders)
    return [*contenders[first:], *contenders[:first]]


def _bars(cases: Sequence[Case], runs: Runs) -> Table:
    """The ratios at a glance."""
    shown = (EVERVEC, PGAI, SUPABASE)
    lines = []
    for case in cases:
        reference = Summary.of(runs[case.name, case.contenders[0].name]).seconds
        times = [Summary.of(runs[case.name, c.name]).seconds / reference for c in shown]
        bar = "" if case.bar is None else f"{case.bar:.2f} ×"
        met = "" if case.bar is None else "met" if times[0] <= case.bar else "MISSED"
        lines.append((case.title, duration(reference), *map(ratio, times), bar, met))
    columns = ("case", "bare", *(contender.name for contender in shown), "bar", "")
    return Table("Ratios to the bare table", columns, tuple(lines))


def _details(case: Case, runs: Runs) -> Table:
    """Everything about one case."""
    reference = Summary.of(runs[case.name, case.contenders[0].name])
    lines = []
    for contender in case.contenders:
        summary = Summary.of(runs[case.name, contender.name])
        lines.append(
            (
                contender.name,
                duration(summary.seconds),
                f"{duration(summary.low)} – {duration(summary.high)}",
                ratio(summary.seconds / reference.seconds),
                size(summary.wal_bytes),
                ratio(summary.wal_bytes / reference.wal_bytes),
                thousands(summary.logged),
            )
        )
    columns = ("", "median", "min – max", "ratio", "WAL", "ratio", "queued rows")
    return Table(case.title, columns, tuple(lines))


if __name__ == "__main__":
    main()
