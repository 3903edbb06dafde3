"""What ringing a webhook costs the writer: `make bench NAME=push`.

The same tracked table with push off and on, in turn. pg_net is not in the embedded server: a
recorder takes requests into a queue, as pg_net does within the transaction. What pg_net does with
them afterwards, in a process of its own, is no matter of the writer's.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Sequence
from statistics import median

import psycopg
from rich.console import Console

from bench import contenders, staging
from bench.cases import CASES, Case
from bench.contenders import EVERVEC
from bench.measure import Bench
from bench.report import Report, Table, write
from bench.server import running_server, versions
from bench.stats import duration, ratio, thousands
from tests.support import pg_net

# The cases, by their names in bench.cases, and how much slower they may be with push on.
BARS: dict[str, float | None] = {
    "insert": 1.1,
    "pipelined": 1.1,
    "pgbench-2-simple": 1.1,
    "pgbench-32-simple": 1.1,
    "update-text": None,
}
STATES = {False: "select evervec.push_off()", True: "select evervec.configure_push(%s, 'pg_net')"}
WEBHOOK = "http://127.0.0.1:9"  # nobody listens


def main(arguments: Sequence[str] | None = None) -> None:
    """Run as a command."""
    options = _options(arguments)
    console = Console()
    cases = [case for case in CASES if case.name in BARS]
    rows = 2_000 if options.quick else 10_000
    seconds: defaultdict[tuple[str, bool], list[float]] = defaultdict(list)
    with running_server() as server:
        contenders.install(server)
        with psycopg.connect(server.superuser_url, autocommit=True) as conn:
            pg_net.install(conn)
        with server.connect_superuser() as superuser, server.connect() as application:
            staging.fill(superuser, rows)
            texts = superuser.execute("select id, title, body from bench.short").fetchall()
            bench = Bench(server, superuser, application, texts, options.seconds)
            for number in range(options.rounds + 1):
                for case in cases:
                    for push in (number % 2 == 0, number % 2 == 1):
                        application.execute(STATES[push], [WEBHOOK] if push else [])
                        measurement = bench.run(case, EVERVEC)
                        if number > 0:  # the first round makes WAL files and caches warm
                            seconds[case.name, push].append(measurement.seconds)
            found = versions(superuser)
    report = Report(
        name="push",
        versions=found,
        settings=server.settings,
        facts={"rows": thousands(rows), "rounds": str(options.rounds)},
        tables=(
            Table(
                "Ratios to push off",
                ("case", "off", "on", "bar", ""),
                tuple(
                    _line(case, median(seconds[case.name, False]), median(seconds[case.name, True]))
                    for case in cases
                ),
            ),
        ),
    )
    report.print(console)
    if not options.quick:
        console.print(f"Written to {write(report)}")


def _line(case: Case, off: float, on: float) -> tuple[str, ...]:
    bar = BARS[case.name]
    if bar is None:
        return case.title, duration(off), ratio(on / off), "", ""
    verdict = "met" if on / off <= bar else "MISSED"
    return case.title, duration(off), ratio(on / off), f"{bar:.2f} ×", verdict


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench.push", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few rows, few rounds; writes no docs")
    parser.add_argument("--rounds", type=int, help="runs of each case in each state (default 9)")
    parser.add_argument("--seconds", type=int, help="length of a pgbench run (default 5)")
    options = parser.parse_args(arguments)
    options.rounds = options.rounds or (3 if options.quick else 9)
    options.seconds = options.seconds or (1 if options.quick else 5)
    return options


if __name__ == "__main__":
    main()
