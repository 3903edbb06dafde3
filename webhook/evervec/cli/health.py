"""evervec doctor and evervec alerts: what is wrong, and what mends it."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import click
from rich.table import Table
from rich.text import Text

from evervec.cli.app import App, Command, common_options, pass_app, printable

if TYPE_CHECKING:
    from collections.abc import Iterable


@click.command(cls=Command, examples=["evervec doctor", "evervec doctor film --json"])
@click.argument("source", required=False)
@common_options
@pass_app
def doctor(app: App, source: str | None) -> int:
    """Look for what is wrong with SOURCE, or with everything.

    Each finding comes with the statement that mends it. Exit code 1 when one of them is an
    error; advice alone is 0.
    """
    with app.database() as db:
        findings = db.doctor(source)
    if app.as_json:
        app.print_json([asdict(finding) for finding in findings])
    elif not findings:
        app.say("All is well.")
    else:
        _show(
            app, ((f.source, f"{f.severity}: {f.finding}", f.problem, f.remedy) for f in findings)
        )
    return int(any(finding.severity == "error" for finding in findings))


@click.command(cls=Command, examples=["evervec alerts", "evervec alerts --json"])
@common_options
@pass_app
def alerts(app: App) -> int:
    """Show what needs attention now; for monitoring.

    Thresholds are in the table evervec.setting. Exit code 1 when there is anything.
    """
    with app.database() as db:
        found = db.alerts()
    if app.as_json:
        app.print_json([asdict(alert) for alert in found])
    elif not found:
        app.say("No alerts.")
    else:
        _show(app, ((a.source, a.alert, a.problem, a.remedy) for a in found))
    return int(bool(found))


def _show(app: App, lines: Iterable[tuple[str | None, str, str, str]]) -> None:
    """Source, what it is, the sentence with the statement below it."""
    table = Table(box=None, pad_edge=False)
    for name in ("source", "what", "problem and remedy"):
        table.add_column(name, overflow="fold")
    for source, what, problem, remedy in lines:
        table.add_row(Text(source or "–"), what, Text(printable(f"{problem}\n{remedy}")))
    app.console.print(table)
