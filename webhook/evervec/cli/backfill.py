"""evervec backfill: embed the rows of a source that have no vector."""

from __future__ import annotations

import threading
import time
from dataclasses import asdict

import click

from evervec import logs
from evervec.cli.app import App, Command, common_options, pass_app
from evervec.cli.progress import embed_source
from evervec.errors import EvervecError
from evervec.worker import stopping_on_signals


@click.command(cls=Command, examples=["evervec backfill film"])
@click.argument("source")
@click.option("--no-wait", is_flag=True, help="Only start it: a worker does the work.")
@common_options
@pass_app
def backfill(app: App, source: str, no_wait: bool) -> None:
    """Embed the rows of SOURCE that have no vector yet.

    Then builds the index. May be interrupted and run again, beside workers too: no row is
    embedded twice.
    """
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
