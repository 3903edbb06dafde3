"""evervec dlq: the dead letters, jobs that gave up."""

from __future__ import annotations

from dataclasses import asdict

import click
from rich.table import Table
from rich.text import Text

from evervec.cli.app import App, Command, Group, common_options, pass_app, printable
from evervec.cli.job import details, moment
from evervec.errors import EvervecError

_LONGEST_MESSAGE = 100


@click.group(
    cls=Group,
    examples=[
        "evervec dlq list",
        "evervec dlq show 12",
        "evervec dlq retry film --class server_error",
        "evervec dlq resolve 12 --note 'not to be searched'",
    ],
)
def dlq() -> None:
    """See what gave up, try it anew, or settle it."""


@dlq.command(name="list", cls=Command, examples=["evervec dlq list film --class bad_input"])
@click.argument("source", required=False)
@click.option("--class", "error_class", metavar="CLASS", help="Of this error class only.")
@click.option("--resolved", is_flag=True, help="Those that are settled already.")
@click.option(
    "-n",
    "--limit",
    type=click.IntRange(1, 100_000),
    default=20,
    show_default=True,
    help="Letters at most.",
)
@common_options
@pass_app
def list_letters(
    app: App, source: str | None, error_class: str | None, resolved: bool, limit: int
) -> None:
    """List the dead letters of SOURCE, or of all, the newest first."""
    with app.database() as db:
        letters = db.dead_letters(source, error_class, resolved=resolved, limit=limit)
        told = db.dead_letter_statistics(source)
    if app.as_json:
        app.print_json([asdict(letter) for letter in letters])
        return
    if letters:
        table = Table(box=None, pad_edge=False, header_style="bold")
        for name in ("id", "source", "key", "class", "status", "attempts", "last failed"):
            table.add_column(name, no_wrap=name in ("id", "class", "last failed"))
        table.add_column("message", overflow="fold")
        for letter in letters:
            table.add_row(
                str(letter.dead_letter_id),
                Text(letter.source or "–"),
                Text(printable(letter.row_key or letter.task_type)),
                letter.error_class,
                str(letter.status_code or "–"),
                str(letter.attempts),
                moment(letter.last_failed_at),
                Text(printable(letter.message).replace("\n", " ")[:_LONGEST_MESSAGE]),
            )
        app.console.print(table)
    classes = ", ".join(f"{n:,} {name}" for name, n in sorted(told.by_class.items()))
    app.say(f"{told.open:,} open{f' ({classes})' if classes else ''}, {told.resolved:,} resolved.")


@dlq.command(cls=Command, examples=["evervec dlq show 12"])
@click.argument("dead_letter_id", type=int, metavar="ID")
@common_options
@pass_app
def show(app: App, dead_letter_id: int) -> None:
    """Show dead letter ID with all its attempts."""
    with app.database() as db:
        letter = db.dead_letter(dead_letter_id)
    if letter is None:
        raise EvervecError(f"dead letter {dead_letter_id} does not exist", hint="evervec dlq list")
    if app.as_json:
        app.print_json(asdict(letter))
        return
    attempts = [
        (
            "attempt" if number else "attempts",
            f"{failure['at']} {failure['class']} {failure['status'] or ''} {failure['message']}",
        )
        for number, failure in enumerate(letter.failures)
    ]
    details(
        app,
        [
            ("dead letter", str(letter.dead_letter_id)),
            ("job", None if letter.job_id is None else str(letter.job_id)),
            ("source", letter.source),
            ("task", letter.task_type),
            ("key", letter.row_key),
            ("data", None if letter.task_data is None else str(letter.task_data)),
            ("class", letter.error_class),
            ("status", None if letter.status_code is None else str(letter.status_code)),
            ("message", letter.message),
            *attempts,
            ("queued", moment(letter.queued_at)),
            ("resolved", moment(letter.resolved_at)),
            ("by", letter.resolved_by),
            ("note", letter.note),
        ],
    )


@dlq.command(
    cls=Command,
    examples=[
        "evervec dlq retry 12 13",
        "evervec dlq retry film --class server_error",
        "evervec dlq retry --all",
    ],
)
@click.argument("what", nargs=-1, metavar="[ID]... | [SOURCE]")
@click.option("--class", "error_class", metavar="CLASS", help="Of this error class only.")
@click.option("--all", "every", is_flag=True, help="Of all sources.")
@common_options
@pass_app
def retry(app: App, what: tuple[str, ...], error_class: str | None, every: bool) -> None:
    """Try dead letters anew, from their first attempt: by ID, or those of a SOURCE.

    What is told with --class only is of all sources.
    """
    ids = [int(name) for name in what if name.isdecimal()]
    by_id = bool(ids) and len(ids) == len(what) and error_class is None
    nothing = not (what or every or error_class)
    if nothing or (every and what) or (len(what) > 1 and not by_id):
        raise click.UsageError("Give IDs, or one SOURCE, or --class, or --all.")
    with app.database() as db:
        if by_id:
            jobs = [db.retry_dead_letter(dead_letter_id) for dead_letter_id in ids]
            retried = len(jobs)
        else:
            source = what[0] if what else None
            retried, most = 0, db.dead_letter_statistics(source).open
            # Those that die again meanwhile are left alone.
            while retried < most and (done := db.retry_dead_letters(source, error_class)):
                retried += done
    if app.as_json:
        app.print_json({"retried": retried} | ({"jobs": jobs} if by_id else {}))
    elif by_id:
        for dead_letter_id, job_id in zip(ids, jobs, strict=True):
            app.say(f"Dead letter {dead_letter_id} is queued as job {job_id}.")
    else:
        app.say(f"{retried:,} dead letter{' is' if retried == 1 else 's are'} queued.")


@dlq.command(cls=Command, examples=["evervec dlq resolve 12 13 --note 'not to be searched'"])
@click.argument("ids", nargs=-1, type=int, required=True, metavar="ID...")
@click.option("--by", help="Who says so; default: the role that is connected.")
@click.option("--note", help="Why.")
@common_options
@pass_app
def resolve(app: App, ids: tuple[int, ...], by: str | None, note: str | None) -> None:
    """Settle dead letters: nothing more is to be tried."""
    with app.database() as db:
        for dead_letter_id in ids:
            db.resolve_dead_letter(dead_letter_id, by, note)
    if app.as_json:
        app.print_json({"resolved": list(ids)})
    else:
        for dead_letter_id in ids:
            app.say(f"Dead letter {dead_letter_id} is resolved.")
