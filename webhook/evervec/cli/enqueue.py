"""evervec enqueue: ask for rows to be embedded, or for a whole source."""

from __future__ import annotations

import click

from evervec.cli.app import App, Command, common_options, pass_app
from evervec.errors import EvervecError


@click.command(
    cls=Command,
    examples=[
        "evervec enqueue film 1 2 3",
        "evervec enqueue film 11618 --operation create",
        "evervec enqueue film --missing",
        'evervec enqueue line \'{"order_id": 7, "position": 2}\' --metadata \'{"request": "a1"}\'',
    ],
)
@click.argument("source")
@click.argument("keys", nargs=-1, metavar="[KEY]...")
@click.option("--missing", is_flag=True, help="All rows that have no vector.")
@click.option("--all", "every", is_flag=True, help="Drop every vector, then make them all anew.")
@click.option("--yes", is_flag=True, help="With --all: yes, drop the vectors.")
@click.option(
    "--operation",
    default="update",
    show_default=True,
    help="create (priority 1), update (5), bulk (8) or retry (5).",
)
@click.option("--priority", type=int, help="Another priority, 1 (first) to 10.")
@click.option("--metadata", default="{}", metavar="JSON", help="An object kept with the job.")
@common_options
@pass_app
def enqueue(
    app: App,
    source: str,
    keys: tuple[str, ...],
    missing: bool,
    every: bool,
    yes: bool,
    operation: str,
    priority: int | None,
    metadata: str,
) -> None:
    """Queue the rows of SOURCE with these KEYs.

    KEY is the value of the key, or a JSON object where the key has several columns. A row whose
    text is unchanged is not embedded again; with --all every row is, but texts that the cache has
    are not paid for again. Follow the job with `evervec job`.
    """
    if bool(keys) + missing + every != 1:
        raise click.UsageError("Give KEYs, or --missing, or --all.")
    if every and not yes:
        raise EvervecError(
            f"the vectors of {source} would be dropped", hint="If that is meant: add --yes"
        )
    with app.database() as db:
        if keys:
            job_ids = db.enqueue(
                source,
                [db.parse_key(source, key) for key in keys],
                operation=operation,
                priority=priority,
                triggered_by="cli",
                metadata=metadata,
            )
        else:
            job_ids = [
                db.enqueue_source(
                    source,
                    "all" if every else "missing",
                    operation=operation,
                    priority=priority,
                    triggered_by="cli",
                    metadata=metadata,
                )
            ]
    if app.as_json:
        app.print_json({"source": source, "jobs": job_ids})
    elif keys:
        for key, job_id in zip(keys, job_ids, strict=True):
            app.say(f"{key} is queued as job {job_id}.")
    else:
        app.say(f"Job {job_ids[0]} is queued. See how far it is with: evervec job {job_ids[0]}")
