"""evervec worker: keep vectors in step with their rows."""

from __future__ import annotations

import os
import threading
import time
from dataclasses import replace

import click

from evervec import failpoints, logs
from evervec.cli.app import App, Command, common_options, pass_app
from evervec.worker import Worker, stopping_on_signals


@click.command(cls=Command, examples=["evervec worker --drain"])
@click.option("--drain", is_flag=True, help="End when nothing is left to do, retries included.")
@click.option("--once", is_flag=True, help="Process one batch, then end.")
@click.option(
    "--interval",
    type=click.FloatRange(0.01, 1.0),
    help="Longest wait between two looks for work, in seconds. [default: 1]",
)
@click.option(
    "--concurrency",
    type=click.IntRange(1, 100),
    help="Batches at a time: requests in flight, at most. [default: 16]",
)
@click.option("--source", "sources", multiple=True, help="Only work for this source; repeatable.")
@click.option("--json-logs", is_flag=True, help="Log lines as JSON; so does EVERVEC_LOG_FORMAT.")
@common_options
@pass_app
def worker(
    app: App,
    drain: bool,
    once: bool,
    interval: float | None,
    concurrency: int | None,
    sources: tuple[str, ...],
    json_logs: bool,
) -> None:
    """Embed what changes, until told to stop.

    SIGTERM or Ctrl-C ends it after the request in hand; the rest goes back to the queue. Any
    number of workers may run. Logs go to standard error.
    """
    if drain and once:
        raise click.UsageError("--drain and --once exclude one another.")
    config = app.config
    if interval is not None:
        config = replace(config, poll_seconds=interval)
    if concurrency is not None:
        config = replace(config, concurrency=concurrency)
    logs.configure("json" if json_logs else config.log_format, config.log_level)
    failpoints.arm(os.environ.get(failpoints.VARIABLE, ""))
    stop = threading.Event()
    started = time.monotonic()
    with app.database() as db, stopping_on_signals(stop):
        for name in sources:
            db.get_source(name)
        run = Worker(db, app.providers(), config, sources=sources or None, stop=stop)
        if not (drain or once):
            run.prepare()
        logs.info("started", worker=config.worker_name)
        try:
            if drain:
                run.drain()
            elif once:
                run.once()
            else:
                run.run()
        finally:
            report = run.summary.report(time.monotonic() - started)
            logs.info("finished", worker=config.worker_name, **report)
    if app.as_json:
        app.print_json(report)
