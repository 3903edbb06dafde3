"""The tables that histories run on: their keys, the recipes of their texts, their storage."""

from __future__ import annotations

from collections.abc import Callable
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


Categories = dict[int, str | None]


def blank(text: str | None) -> bool:
    return text is None or not text.strip()


def columns_text(row: Row, categories: Categories) -> str | None:
    lines = [
        f"{label}: {row[column]}"
        for label, column in (("Title", "title"), ("Long text", "long_text"))
        if not blank(row[column])
    ]
    return "\n".join(lines) or None


def template_text(row: Row, categories: Categories) -> str | None:
    if blank(row["title"]) and blank(row["long_text"]):
        return None
    rest = "nothing" if blank(row["long_text"]) else row["long_text"]
    return f"{row['title'] or ''} {{$1}} {rest}"


def expression_text(row: Row, categories: Categories) -> str | None:
    if row["title"] is None:
        return None
    text = f"{row['title'].upper()} / {row['long_text'] or ''}"
    return None if blank(text) else text


def wanted_text(row: Row, categories: Categories) -> str | None:
    return expression_text(row, categories) if row["wanted"] else None


def joined_text(row: Row, categories: Categories) -> str | None:
    if row["title"] is None:
        return None
    return f"{row['title']} ({categories.get(row['category_id']) or '-'})"


@dataclass(frozen=True)
class Recipe:
    """Arguments of track(), and the same text worked out in Python: None for a row without one."""

    arguments: str
    text: Callable[[Row, Categories], str | None]
    joined: bool = False


def recipes(key: Key) -> dict[str, Recipe]:
    """The recipes by name, for a table named thing."""
    keys = ", ".join(f"t.{column}" for column in key.ddl)
    expression = "upper(title) || ' / ' || coalesce(long_text, '')"
    return {
        "columns": Recipe("p_columns => '{title,long_text}'", columns_text),
        "template": Recipe("p_template => '{title} {{$1}} {long_text|nothing}'", template_text),
        "text_sql": Recipe(f"p_text_sql => $$ {expression} $$", expression_text),
        "where": Recipe(f"p_text_sql => $$ {expression} $$, p_where => 'wanted'", wanted_text),
        "joined": Recipe(
            f"""
            p_text_sql => $$ title || ' (' || coalesce((
                select c.name from public.category c where c.id = category_id), '-') || ')' $$,
            p_depends_on => '{{"public.category": {{
                "columns": ["id"], "watch": ["name"],
                "keys": "select {keys} from changed c join public.thing t on t.category_id = c.id"
            }}}}'
            """,
            joined_text,
            joined=True,
        ),
    }


STORAGES = {
    "table": "",
    "column": ", p_storage => 'column'",
    "foreign key": ", p_foreign_key => true",
}
ISOLATIONS = ("read committed", "repeatable read", "serializable")
