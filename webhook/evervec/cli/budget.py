"""evervec budget: what models and sources may spend on a day."""

from __future__ import annotations

from dataclasses import asdict
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any, TypeVar

import click
from rich.table import Table
from rich.text import Text

from evervec.cli.app import App, Command, Group, common_options, pass_app
from evervec.cli.cost import money

if TYPE_CHECKING:
    from collections.abc import Callable

F = TypeVar("F", bound="Callable[..., Any]")


def amount(text: str) -> Decimal:
    """A sum of money, not rounded on its way."""
    try:
        found = Decimal(text)
    except InvalidOperation:
        raise click.BadParameter(f"{text!r} is not a number.") from None
    if not found.is_finite() or found <= 0:
        raise click.BadParameter(f"{text!r} is not a sum of money.")
    return found


def _whose(command: F) -> F:
    """--model and --source, of which a budget has one."""
    command = click.option("--source", help="Of this source.")(command)
    return click.option("--model", help="Of this model, all its sources together.")(command)


def _name(model: str | None, source: str | None) -> str:
    """Whose budget it is, for a person. Raises a usage error unless one was said."""
    if (model is None) == (source is None):
        raise click.UsageError("Give --model, or --source.")
    return f"model {model}" if source is None else f"source {source}"


@click.group(
    cls=Group,
    examples=[
        "evervec budget list",
        "evervec budget set --source film --tokens 1000000",
        "evervec budget set --model text-embedding-3-small --cost 5",
        "evervec budget remove --source film",
    ],
)
def budget() -> None:
    """Limit what may be spent on a day.

    Once it is spent, workers embed nothing of the source, or of the model's sources, until midnight
    UTC; changes are queued.
    """


@budget.command(name="list", cls=Command, examples=["evervec budget list --json"])
@common_options
@pass_app
def list_budgets(app: App) -> None:
    """List the budgets, with what is spent of them today (UTC)."""
    with app.database() as db:
        budgets = db.budgets()
    if app.as_json:
        app.print_json([asdict(found) for found in budgets])
        return
    if not budgets:
        app.say("There are no budgets. Try: evervec budget set --source film --tokens 1000000")
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("of", "name"):
        table.add_column(name, overflow="fold")
    for name in ("tokens a day", "spent", "left", "cost a day", "spent", "left"):
        table.add_column(name, justify="right")
    table.add_column("")
    for found in budgets:
        cells = ["–"] * 6
        if found.tokens_a_day is not None:
            left = max(found.tokens_a_day - found.tokens_today, 0)
            cells[:3] = [f"{n:,}" for n in (found.tokens_a_day, found.tokens_today, left)]
        if found.cost_a_day is not None:
            rest = max(found.cost_a_day - found.cost_today, 0)
            cells[3:] = [money(n) for n in (found.cost_a_day, found.cost_today, rest)]
        kind = "source" if found.model is None else "model"
        whose = Text(found.model or found.source or "")
        table.add_row(kind, whose, *cells, "spent until midnight UTC" if found.spent else "")
    app.console.print(table)


@budget.command(
    name="set",
    cls=Command,
    examples=["evervec budget set --source film --tokens 1000000 --cost 0.02"],
)
@_whose
@click.option("--tokens", type=click.IntRange(1, 2**63 - 1), help="Tokens a day.")
@click.option(
    "--cost",
    type=amount,
    metavar="AMOUNT",
    help="Money a day, in the currency of the model's price.",
)
@common_options
@pass_app
def set_budget(
    app: App, model: str | None, source: str | None, tokens: int | None, cost: Decimal | None
) -> None:
    """Give a model or a source a budget, in the place of the one that it has."""
    name = _name(model, source)
    if tokens is None and cost is None:
        raise click.UsageError("Give --tokens, or --cost, or both.")
    with app.database() as db:
        db.set_budget(model=model, source=source, tokens=tokens, cost=cost)
    if app.as_json:
        found = {"model": model, "source": source, "tokens_a_day": tokens}
        app.print_json(found | {"cost_a_day": None if cost is None else float(cost)})
        return
    limits = [f"{tokens:,} tokens"] if tokens is not None else []
    limits += [f"{cost} in money"] if cost is not None else []
    app.say(f"The budget of {name} is {' and '.join(limits)} a day.")


@budget.command(cls=Command, examples=["evervec budget remove --model text-embedding-3-small"])
@_whose
@common_options
@pass_app
def remove(app: App, model: str | None, source: str | None) -> None:
    """Take the budget of a model or a source away: it may spend what it needs."""
    name = _name(model, source)
    with app.database() as db:
        db.set_budget(model=model, source=source)
    if app.as_json:
        app.print_json({"model": model, "source": source})
    else:
        app.say(f"There is no budget of {name} now.")
