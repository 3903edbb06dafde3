"""What the commands share: options, configuration, database, and how they print."""

from __future__ import annotations

import json
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

import click
from rich.console import Console

from evervec.config import Config
from evervec.db import Database
from evervec.providers import Providers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

F = TypeVar("F", bound="Callable[..., Any]")

# Wide enough that nothing is cut where no terminal sets a limit.
_WIDTH_OF_A_PIPE = 200


@dataclass
class App:
    """One run of the program. Reads the environment only when a command needs it."""

    database_url: str | None = None
    as_json: bool = False

    @cached_property
    def config(self) -> Config:
        """Environment and options. Raises EvervecError."""
        return Config.from_environment(database_url=self.database_url)

    @contextmanager
    def database(self) -> Iterator[Database]:
        """The database, connected."""
        config = self.config
        with Database(config.database_url, connect_timeout=config.connect_timeout) as db:
            yield db

    def providers(self) -> Providers:
        """The providers that models may ask for."""
        return Providers.configured(self.config)

    @cached_property
    def console(self) -> Console:
        """Standard output, for what was asked for."""
        return Console(width=None if sys.stdout.isatty() else _WIDTH_OF_A_PIPE, highlight=False)

    @cached_property
    def notes(self) -> Console:
        """Standard error, for what goes on meanwhile; silent where nobody watches."""
        return Console(stderr=True, highlight=False, quiet=not sys.stderr.isatty())

    def say(self, line: str) -> None:
        """A line of result for a person; nothing when a machine reads."""
        if not self.as_json:
            self.console.print(line, markup=False, soft_wrap=True)

    def print_json(self, value: object) -> None:
        """A result for a machine."""
        click.echo(json.dumps(value, ensure_ascii=False, default=str))


class Command(click.Command):
    """A command whose help ends with examples, printed as they are."""

    def __init__(self, *arguments: Any, examples: Sequence[str] = (), **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.examples = tuple(examples)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the examples."""
        del ctx
        write_examples(formatter, self.examples)


class Group(click.Group):
    """A group that lists its commands in the order in which one needs them."""

    command_class = Command

    def __init__(self, *arguments: Any, examples: Sequence[str] = (), **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.examples = tuple(examples)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The commands as they were added."""
        del ctx
        return list(self.commands)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the examples."""
        del ctx
        write_examples(formatter, self.examples)


def write_examples(formatter: click.HelpFormatter, examples: Sequence[str]) -> None:
    """A section of lines that are not wrapped, so that they can be copied."""
    if examples:
        with formatter.section("Examples" if len(examples) > 1 else "Example"):
            for line in examples:
                formatter.write(f"  {line}\n")


pass_app = click.make_pass_decorator(App, ensure=True)


def _set_url(context: click.Context, _parameter: click.Parameter, value: str | None) -> None:
    if value is not None:
        context.ensure_object(App).database_url = value


def _set_json(context: click.Context, _parameter: click.Parameter, value: bool) -> None:
    if value:
        context.ensure_object(App).as_json = True


def database_option(command: F) -> F:
    """The option --database-url, before or behind the command's name."""
    return click.option(
        "-d",
        "--database-url",
        metavar="URL",
        expose_value=False,
        callback=_set_url,
        help="Database to use instead of EVERVEC_DATABASE_URL.",
    )(command)


def json_option(command: F) -> F:
    """The option --json, before or behind the command's name."""
    return click.option(
        "--json",
        is_flag=True,
        expose_value=False,
        callback=_set_json,
        help="Print JSON, for a machine to read.",
    )(command)


def common_options(command: F) -> F:
    """--database-url and --json."""
    return database_option(json_option(command))


def printable(text: str) -> str:
    """Text of a user's row, safe to send to a terminal: control characters become spaces."""
    return "".join(c if c.isprintable() or c == "\n" else " " for c in text)
