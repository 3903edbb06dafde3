"""What the fold of the change log into the queue costs: `make bench NAME=fold`.

A slice with little and with much behind it, with and without a snapshot that keeps dead rows from
being vacuumed; rows a second; and how long an urgent change waits behind a bulk update. Printed,
and written to docs/benchmarks.md unless --quick.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console

from bench import backlog, staging
from bench.backlog import SLICE, Backlog, snapshot
from bench.report import Report, Table, write
from bench.server import Server, running_server, versions
from bench.stats import Measurement, Summary, duration, ratio, thousands
from bench.urgent import wait_of_urgent_row

SLICE_BAR = 1.2
URGENT_BAR_SECONDS = 20.0


@dataclass(frozen=True)
class Scenario:
    """What lies in the log around a slice."""

    behind: int  # changes that wait behind the slice
    held: bool  # a snapshot is held all the while
    before: int = 0  # changes folded before, their dead rows not vacuumed

    @property
    def title(self) -> str:
        """As a line of a table."""
        words = [f"{thousands(self.behind)} behind it"]
        if self.before:
            words.append(f"{thousands(self.before)} folded before it, dead")
        if self.held:
            words.append("snapshot held")
        return ", ".join(words)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run as a command."""
    options = _options(arguments)
    console = Console()
    many = 100_000 if options.quick else 1_000_000
    with (
        running_server() as server,
        server.connect() as owner,
        server.connect_superuser() as superuser,
    ):
        staging.fill(superuser, 1_000)
        log = backlog.create(server, owner, superuser)
        tables = (
            _slices(log, many, options.rounds, console),
            _throughput(log, many, console),
            _urgent(server, log, many, console),
        )
        report = Report(
            name="fold",
            versions=versions(owner),
            settings=server.settings,
            facts={"slice": f"{thousands(SLICE)} changes", "rounds": str(options.rounds)},
            tables=tables,
        )
    report.print(console)
    if not (options.quick or options.no_docs):
        console.print(f"Written to {write(report)}")


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench.fold", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of the rows; writes no docs")
    parser.add_argument("--no-docs", action="store_true", help="print only")
    parser.add_argument("--rounds", type=int, help="slices measured (default 9)")
    options = parser.parse_args(arguments)
    options.rounds = options.rounds or (3 if options.quick else 9)
    return options


def _slices(log: Backlog, many: int, rounds: int, console: Console) -> Table:
    """Ratios to a slice with 10,000 changes behind it and nothing in its way."""
    scenarios = [
        Scenario(SLICE, held=False),
        Scenario(many, held=False),
        Scenario(SLICE, held=True),
        Scenario(many, held=True),
        Scenario(SLICE, held=True, before=many),
    ]
    summaries = []
    for scenario in scenarios:
        console.print(f"a slice with {scenario.title} …")
        summaries.append(_slice(log, scenario, rounds))
    reference = summaries[0].seconds
    lines = []
    for scenario, summary in zip(scenarios, summaries, strict=True):
        times = summary.seconds / reference
        lines.append(
            (
                scenario.title,
                duration(summary.seconds),
                f"{duration(summary.low)} – {duration(summary.high)}",
                ratio(times),
                "met" if times <= SLICE_BAR else "MISSED",
            )
        )
    columns = ("a slice with …", "median", "min – max", "ratio", f"at most {SLICE_BAR} ×")
    return Table("The cost of a slice", columns, tuple(lines))


def _slice(log: Backlog, scenario: Scenario, rounds: int) -> Summary:
    """Slice after slice; the backlog is filled up again, and the jobs are finished, in between."""
    log.clear()
    runs = []
    with snapshot(log.server, held=scenario.held):
        if scenario.before:
            log.write(scenario.before)
            log.fold_all()
            log.finish_jobs(vacuum=False)
        log.write(scenario.behind + SLICE)
        for number in range(rounds + 1):
            folded, seconds = log.fold()
            if not SLICE // 2 <= folded <= 2 * SLICE:
                raise RuntimeError(f"a slice of {folded} changes where {SLICE} were asked for")
            if number > 0:
                runs.append(Measurement(seconds * SLICE / folded, 0, folded))
            log.finish_jobs(vacuum=not scenario.held)
            log.write(folded)
    return Summary.of(runs)


def _throughput(log: Backlog, many: int, console: Console) -> Table:
    """Rows a second, slice after slice, while the queue grows."""
    lines = []
    for title, distinct in (
        ("every change of another row", many),
        (f"all changes of the same {thousands(SLICE)} rows", SLICE),
    ):
        console.print(f"{thousands(many)} changes, {title} …")
        log.clear()
        log.write(distinct)
        for number in range(1, many // distinct):
            log.owner.execute("update fold.note set body = 'note ' || %s", [number])
        changes, seconds = log.fold_all()
        lines.append((title, thousands(changes), duration(seconds), thousands(changes / seconds)))
    return Table("Throughput", ("", "changes", "time", "changes a second"), tuple(lines))


def _urgent(server: Server, log: Backlog, many: int, console: Console) -> Table:
    """One worker, which also embeds what it claims, in no time."""
    lines = []
    for title, held in (("as usual", False), ("snapshot held", True)):
        console.print(f"an urgent row behind an update of {thousands(many)}, {title} …")
        with snapshot(server, held=held):
            seconds, jobs = wait_of_urgent_row(server, log.superuser, many)
        met = "met" if seconds <= URGENT_BAR_SECONDS else "MISSED"
        lines.append((title, duration(seconds), thousands(jobs), met))
    columns = ("", "claimed after", "jobs done meanwhile", f"at most {URGENT_BAR_SECONDS:.0f} s")
    return Table(f"An urgent row behind an update of {thousands(many)} rows", columns, tuple(lines))


if __name__ == "__main__":
    main()
