"""Results as tables: on the terminal, and as a section of docs/benchmarks.md."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table as RichTable

from bench.server import ROOT

DOCS = ROOT / "docs" / "benchmarks.md"


@dataclass(frozen=True)
class Table:
    """Text cells; the first column names the line, the others are numbers."""

    title: str
    columns: tuple[str, ...]
    lines: tuple[tuple[str, ...], ...]

    def rich(self) -> RichTable:
        """For the terminal."""
        table = RichTable(title=self.title, title_justify="left")
        for number, column in enumerate(self.columns):
            table.add_column(column, justify="right" if number else "left")
        for line in self.lines:
            table.add_row(*line)
        return table

    def markdown(self) -> str:
        """For the docs."""
        rule = ["---", *("--:" for _ in self.columns[1:])]
        rows = (self.columns, rule, *self.lines)
        return "\n".join([f"### {self.title}", "", *(f"| {' | '.join(row)} |" for row in rows)])


@dataclass(frozen=True)
class Report:
    """What one benchmark found, under which conditions."""

    name: str
    versions: Mapping[str, str]
    settings: Mapping[str, str]  # of the server, where they are not the default; {}: no server
    facts: Mapping[str, str]
    tables: tuple[Table, ...]
    picture: str = ""  # a file beside the page

    def conditions(self) -> str:
        """Versions, machine and settings in a few lines."""
        settings = ", ".join(f"{name} = {value}" for name, value in self.settings.items())
        found = ", ".join(f"{name} {version}" for name, version in self.versions.items())
        facts = "; ".join(f"{name}: {value}" for name, value in self.facts.items())
        machine = f"{os.cpu_count()} cores ({platform.machine()})"
        # Whether others were at work: the benchmarks alone keep two cores busy.
        load = " ".join(f"{value:.1f}" for value in os.getloadavg())
        day = datetime.now(UTC).date().isoformat()
        server = f"Settings: {settings}; all else as by default.\n" if settings else ""
        return (
            f"{day}; {found}; {machine}, Python {platform.python_version()};"
            f" load average at the end {load}.\n{server}{facts}."
        )

    def print(self, console: Console) -> None:
        """On the terminal."""
        for table in self.tables:
            console.print(table.rich())
        console.print(self.conditions())

    def markdown(self) -> str:
        """For the docs."""
        parts = [self.conditions(), *(table.markdown() for table in self.tables)]
        if self.picture:
            parts.append(f"![{self.tables[0].title}]({self.picture})")
        return "\n\n".join(parts)


def write(report: Report, path: Path = DOCS) -> Path:
    """Replace the benchmark's section of the page: what stands between its two comments."""
    text = path.read_text()
    section = re.compile(
        rf"(?P<begin><!-- {report.name} -->\n).*(?P<end><!-- /{report.name} -->)", re.DOTALL
    )
    if not section.search(text):
        raise LookupError(f"{path} has no section <!-- {report.name} -->")
    found = report.markdown()
    path.write_text(section.sub(lambda m: f"{m['begin']}\n{found}\n\n{m['end']}", text))
    return path
