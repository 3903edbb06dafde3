"""evervec recall and evervec tune: how good the answers are, and how good they shall be."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
from rich.table import Table

from evervec.cli import plot as plots
from evervec.cli.app import App, Command, common_options, pass_app
from evervec.records import Recall, Tuned

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

F = TypeVar("F", bound="Callable[..., Any]")


def _measure_options(command: F) -> F:
    """How it is measured, and where the plot goes."""
    command = click.option(
        "--plot",
        "file",
        metavar="FILE",
        type=click.Path(dir_okay=False, path_type=Path),
        callback=plots.check_file,
        help="Draw recall against latency there, as PNG or SVG (extra `plot`).",
    )(command)
    command = click.option(
        "-n",
        "--limit",
        type=click.IntRange(1, 1000),
        default=10,
        show_default=True,
        help="Rows that a search asks for.",
    )(command)
    command = click.option(
        "--noise",
        type=click.FloatRange(0, 100),
        default=2.0,
        show_default=True,
        help="How far from a row a query is, in distances to its neighbours; 0: the row itself.",
    )(command)
    return click.option(
        "--samples",
        type=click.IntRange(1, 10_000),
        default=100,
        show_default=True,
        help="Rows that are searched for; each costs an exact search.",
    )(command)


@click.command(
    cls=Command,
    examples=[
        "evervec recall film",
        "evervec recall film --effort 40 --effort 100 --effort 400",
        "evervec recall film --plot film.svg",
    ],
)
@click.argument("source")
@_measure_options
@click.option(
    "--effort",
    "efforts",
    type=int,
    multiple=True,
    metavar="N",
    help="With hnsw.ef_search or ivfflat.probes of N; several times: each of them.",
)
@common_options
@pass_app
def recall(
    app: App,
    source: str,
    samples: int,
    limit: int,
    noise: float,
    file: Path | None,
    efforts: tuple[int, ...],
) -> None:
    """Measure how many of the nearest rows searches of SOURCE find.

    The vectors of rows chosen at random, moved by some noise, are the queries, and exact search
    knows the answers.
    Without --effort as searches are now; with --plot, from the least effort to the greatest.
    """
    asked: Sequence[int | None] | None = efforts or (None,)
    if file is not None and not efforts:
        asked = None
    with app.database() as db:
        found = db.measure_recall(source, samples, limit, noise, asked)
    if file is not None:
        plots.draw(file, source, limit, found)
    if app.as_json:
        app.print_json([asdict(row) for row in found])
        return
    table = _table([row.effort for row in found])
    for name in ("exact p50 ms", "exact p95 ms"):
        table.add_column(name, justify="right")
    for row in found:
        table.add_row(
            *_cells(row), *(_number(ms, 2) for ms in (row.exact_p50_ms, row.exact_p95_ms))
        )
    app.console.print(table)
    app.say(f"Of {found[0].samples:,} rows, the {limit} nearest to each.{_note(found)}")
    _say_drawn(app, file)


@click.command(
    cls=Command,
    examples=[
        "evervec tune film --target 0.99",
        "evervec tune film --samples 1000 --plot film.png",
        "evervec tune film --reset",
    ],
)
@click.argument("source")
@click.option(
    "--target",
    type=float,
    default=0.95,
    show_default=True,
    help="Share of the nearest rows that are to be found.",
)
@_measure_options
@click.option("--reset", is_flag=True, help="Put the default back; nothing is measured.")
@common_options
@pass_app
def tune(
    app: App,
    source: str,
    target: float,
    samples: int,
    limit: int,
    noise: float,
    file: Path | None,
    reset: bool,
) -> None:
    """Find the least effort with which searches of SOURCE find enough, and store it.

    Its searches set hnsw.ef_search or ivfflat.probes to that from now on.
    """
    with app.database() as db:
        found = db.tune(source, None if reset else target, samples, limit, noise)
    if file is not None and found:
        plots.draw(file, source, limit, found, target)
    if app.as_json:
        app.print_json([asdict(row) for row in found])
        return
    if reset:
        app.say(f"Searches of {source} take the default effort.")
        return
    table = _table([row.effort for row in found])
    table.add_column("")
    for row in found:
        table.add_row(*_cells(row), "◀ stored" if row.chosen else "")
    app.console.print(table)
    chosen = next((row for row in found if row.chosen), None)
    if chosen is None:
        app.say(f"Nothing to tune.{_note(found)}")
    else:
        app.say(f"Searches of {source} take an effort of {chosen.effort} from now on.")
    _say_drawn(app, file)


def _table(efforts: Sequence[int | None]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("effort" if any(efforts) else "search", "recall", "p50 ms", "p95 ms"):
        table.add_column(name, justify="right")
    return table


def _cells(row: Recall | Tuned) -> tuple[str, ...]:
    effort = "exact" if row.effort is None else f"{row.effort:,}"
    return effort, _number(row.recall, 4), _number(row.p50_ms, 2), _number(row.p95_ms, 2)


def _number(value: float | None, digits: int) -> str:
    return "–" if value is None else f"{value:,.{digits}f}"


def _note(found: Sequence[Recall | Tuned]) -> str:
    """Why there is no effort, where there is none."""
    if any(row.effort is not None for row in found):
        return ""
    return " Its searches read all vectors: there is no index, or too few for one."


def _say_drawn(app: App, file: Path | None) -> None:
    if file is not None:
        app.say(f"Drawn in {file}.")
