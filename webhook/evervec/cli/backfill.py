"""evervec backfill: embed the rows of a source that have no vector."""

from __future__ import annotations

import threading
import time
from dataclasses import asdict

import click

from evervec import logs
from evervec.cli.app import App, Command, common_options, pass_app
from evervec.cli.cost import money
from evervec.cli.progress import embed_source
from evervec.errors import EvervecError
from evervec.worker import stopping_on_signals


@click.command(cls=Command, examples=["evervec backfill film", "evervec backfill film --dry-run"])
@click.argument("source")
@click.option("--no-wait", is_flag=True, help="Only start it: a worker does the work.")
@click.option("--dry-run", is_flag=True, help="Only tell what it would cost.")
@common_options
@pass_app
def backfill(app: App, source: str, no_wait: bool, dry_run: bool) -> None:
    """Embed the rows of SOURCE that have no vector yet.

    Then builds the index. May be interrupted and run again, beside workers too: no row is
    embedded twice.
    """
    if dry_run:
        if no_wait:
            raise click.UsageError("--dry-run and --no-wait exclude one another.")
        _tell_cost(app, source)
        return
    logs.configure(app.config.log_format, "error")
    stop = threading.Event()
    started = time.monotonic()
    with app.database() as db:
        rows = db.backfill(source)
        if no_wait:
            if app.as_json:
                app.print_json({"source": source, "estimated_rows": rows})
            else:
                app.say(f"Backfill of {source} has begun (about {rows:,} rows).")
            return
        with stopping_on_signals(stop):
            summary = embed_source(app.notes, db, app.providers(), app.config, source, stop=stop)
        seconds = time.monotonic() - started
        if stop.is_set():
            raise EvervecError(
                f"stopped after {summary.embedded:,} rows; the others stay queued",
                hint=f"Go on with: evervec backfill {source}",
            )
    if app.as_json:
        app.print_json({"source": source, "seconds": round(seconds, 3), **asdict(summary)})
        return
    same = f", {summary.unchanged:,} were up to date" if summary.unchanged else ""
    app.say(f"Embedded {summary.embedded:,} rows of {source} in {seconds:.0f} s{same}.")
    if summary.dead:
        app.say(f"{summary.dead:,} rows could not be embedded: see evervec status.")


def _tell_cost(app: App, source: str) -> None:
    """What it would take to embed the rest; nothing is queued."""
    with app.database() as db:
        found = db.estimate(source)
    if app.as_json:
        app.print_json({"source": source, **asdict(found)})
        return
    about = "about " if found.sampled else ""
    app.say(f"{source} has {about}{found.rows:,} rows; {about}{found.missing:,} have no vector.")
    if found.cached:
        app.say(f"Of these, {about}{found.cached:,} come from the cache.")
    price = "its model has no price" if found.cost is None else f"cost {money(found.cost)}"
    app.say(f"To embed: about {found.tokens:,} tokens, {price}.")
    if found.sampled:
        app.say(f"Estimated from a sample of {found.examined:,} rows.")
