"""evervec migrate: bring the database to this version."""

from __future__ import annotations

import click
from rich.table import Table

from evervec import migrate as migrations
from evervec.cli.app import App, Command, common_options, pass_app


@click.command(cls=Command, examples=["evervec migrate -d postgresql://owner@db.example.org/shop"])
@click.option("--status", "only_status", is_flag=True, help="Show what is applied; change nothing.")
@click.option("--break-lock", is_flag=True, help="Break yoyo's lock although its owner may live.")
@common_options
@pass_app
def migrate(app: App, only_status: bool, break_lock: bool) -> None:
    """Apply the migrations that are missing. Safe to repeat, and from two hosts at once.

    Needs pgvector in the database, and a role that may create a schema in it; no superuser.
    """
    if only_status:
        _show(app)
        return
    outcome = migrations.apply(app.config.database_url, break_lock=break_lock, tell=app.say)
    if app.as_json:
        app.print_json({"applied": outcome.done, "mended": outcome.mended})
    elif outcome.done or outcome.mended:
        app.say("evervec is installed: every migration is applied.")
    else:
        app.say("Nothing to do: every migration is applied.")


def _show(app: App) -> None:
    found = migrations.status(app.config.database_url)
    if app.as_json:
        app.print_json(
            {
                "migrations": [
                    {
                        "id": m.migration_id,
                        "applied_at": m.applied_at.isoformat() if m.applied_at else None,
                        "edited": m.edited,
                    }
                    for m in found.migrations
                ],
                "unknown": found.unknown,
                "unmended": found.unmended,
            }
        )
        return
    table = Table("migration", "applied", "remark", box=None, pad_edge=False)
    for state in found.migrations:
        when = f"{state.applied_at:%Y-%m-%d %H:%M}" if state.applied_at else "pending"
        remarks = ["text has changed since"] if state.edited else []
        if state.migration_id in found.unmended:
            remarks.append("yoyo's record differs; evervec migrate mends it")
        table.add_row(state.migration_id, when, ", ".join(remarks))
    for migration_id in found.unknown:
        table.add_row(migration_id, "applied", "unknown to this version")
    app.console.print(table)
