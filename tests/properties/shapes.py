"""The tables that histories run on: their keys, the recipes of their texts, their storage."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tests.support.sql_worker import Row


@dataclass(frozen=True)
class Key:
    """A primary key and the few values that it takes, so that keys meet again and again."""

    ddl: dict[str, str]
    values: tuple[tuple[Any, ...], ...]

    @property
    def columns(self) -> str:
        return ", ".join(self.ddl)

    def of(self, row: Row) -> tuple[Any, ...]:
        return tuple(row[column] for column in self.ddl)


KEYS = {
    "int": Key({"id": "int"}, tuple((i,) for i in range(1, 7))),
    "text": Key(
        {"id": "text"},
        tuple((f'{i:08x}-0000-4000-8000-{{it\'s "{i}" \\}}',) for i in range(1, 7)),
    ),
    "composite": Key(
        {"b": "text", "a": "bigint"},
        tuple((b, a) for b in ("x", "Y") for a in (-1, 2, 9007199254740993)),
    ),
}


def blank(text: str | None) -> bool:
    return text is None or not text.strip()


@dataclass(frozen=True)
class Recipe:
    """Arguments of track(), and the same text worked out in Python."""

    arguments: str
    wanted: bool = False  # has p_where => 'wanted'
    joined: bool = False

    def text(self, row: Row, categories: dict[int, str | None]) -> str | None:
        """The text of a row, None when it has none."""
        raise NotImplementedError


class Columns(Recipe):
    def text(self, row: Row, categories: dict[int, str | None]) -> str | None:
        lines = [
            f"{label}: {row[column]}"
            for label, column in (("Title", "title"), ("Long text", "long_text"))
            if not blank(row[column])
        ]
        return "\n".join(lines) or None


class Template(Recipe):
    def text(self, row: Row, categories: dict[int, str | None]) -> str | None:
        if blank(row["title"]) and blank(row["long_text"]):
            return None
        rest = "nothing" if blank(row["long_text"]) else row["long_text"]
        return f"{row['title'] or ''} {{$1}} {rest}"


class Expression(Recipe):
    def text(self, row: Row, categories: dict[int, str | None]) -> str | None:
        if row["title"] is None or (self.wanted and not row["wanted"]):
            return None
        text = row["title"].upper() + " / " + (row["long_text"] or "")
        return text if not blank(text) else None


class Joined(Recipe):
    def text(self, row: Row, categories: dict[int, str | None]) -> str | None:
        if row["title"] is None:
            return None
        return f"{row['title']} ({categories.get(row['category_id']) or '-'})"


def recipes(key: Key) -> dict[str, Recipe]:
    """The recipes by name, for a table named thing."""
    keys = ", ".join(f"t.{column}" for column in key.ddl)
    return {
        "columns": Columns("p_columns => '{title,long_text}'"),
        "template": Template("p_template => '{title} {{$1}} {long_text|nothing}'"),
        "text_sql": Expression(
            "p_text_sql => $$ upper(thing.title) || ' / ' || coalesce(long_text, '') $$"
        ),
        "where": Expression(
            "p_text_sql => $$ upper(title) || ' / ' || coalesce(long_text, '') $$, p_where => 'wanted'",
            wanted=True,
        ),
        "joined": Joined(
            "p_text_sql => $$ title || ' (' || coalesce((select c.name from public.category c"
            " where c.id = thing.category_id), '-') || ')' $$,"
            """ p_depends_on => '{"public.category": {"columns": ["id"], "watch": ["name"], "keys": """
            f""" "select {keys} from public.thing t join changed c on c.id = t.category_id"}}}}'""",
            joined=True,
        ),
    }


STORAGES = {
    "table": "",
    "column": ", p_storage => 'column'",
    "foreign key": ", p_foreign_key => true",
}
ISOLATIONS = ("read committed", "repeatable read", "serializable")
