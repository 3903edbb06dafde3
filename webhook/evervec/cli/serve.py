"""evervec serve: the webhook under gunicorn."""

from __future__ import annotations

import os

import click

from evervec import failpoints, logs
from evervec.cli.app import App, Command, database_option, pass_app
from evervec.errors import EvervecError


@click.command(cls=Command, examples=["evervec serve", "evervec serve --host 0.0.0.0 --workers 2"])
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port",
    type=click.IntRange(0, 65_535),
    default=8080,
    show_default=True,
    help="Port to listen on; 0: any that is free.",
)
@click.option(
    "--workers", type=click.IntRange(1, 64), default=1, show_default=True, help="Processes."
)
@click.option(
    "--threads",
    type=click.IntRange(1, 64),
    default=8,
    show_default=True,
    help="Requests at a time in each process.",
)
@click.option("--json-logs", is_flag=True, help="Log lines as JSON; so does EVERVEC_LOG_FORMAT.")
@database_option
@pass_app
def serve(app: App, host: str, port: int, workers: int, threads: int, json_logs: bool) -> None:
    """Run the webhook: work when the database rings, search, embed, and watch by HTTP.

    SIGTERM or Ctrl-C ends it after what is in hand. It needs the extra `webhook`; docs/webhook.md
    has its routes. Logs go to standard error.
    """
    try:
        from evervec.service.server import Server
    except ModuleNotFoundError as error:
        raise EvervecError(
            f"the webhook needs {error.name}, which is not installed",
            hint="Install everything it needs: pip install 'evervec[webhook]'",
        ) from error

    logs.configure("json" if json_logs else app.config.log_format, app.config.log_level)
    failpoints.arm(os.environ.get(failpoints.VARIABLE, ""))
    Server(app.database_url, f"{host}:{port}", workers=workers, threads=threads).run()
