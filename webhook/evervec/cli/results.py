"""How rows that a search found are shown."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

from rich.table import Table
from rich.text import Text

from evervec.cli.app import App, printable
from evervec.errors import EvervecError
from evervec.records import Match, Recommendation

if TYPE_CHECKING:
    from collections.abc import Sequence

    from evervec.db import Database
    from evervec.records import Neighbour

_LINES_OF_TEXT: Final = 3
_SHOWN: Final[dict[type, tuple[str, ...]]] = {
    Match: ("similarity", "text_rank"),
    Recommendation: ("score", "similarity", "type"),
}


def show(
    app: App, db: Database, source: str, found: Sequence[Neighbour | Match | Recommendation]
) -> None:
    """What made each row a result, its key and the first lines of its text, best first."""
    texts = _texts(db, source, found)
    if app.as_json:
        app.print_json(
            [{"key": row.key, **_figures(row), "text": texts.get(row.row_key)} for row in found]
        )
        return
    if not found:
        app.say("Nothing found.")
        return
    app.console.print(table(found, texts))


def table(
    found: Sequence[Neighbour | Match | Recommendation], texts: dict[str, str | None]
) -> Table:
    """The rows as a table; `texts` by row_key, without those that may not be seen."""
    figures = _SHOWN.get(type(found[0]), ("similarity",))
    columns = list(found[0].key)
    shown = Table(box=None, pad_edge=False, header_style="bold")
    for name in figures:
        shown.add_column(name.replace("_", " "), justify="right")
    for column in columns:
        shown.add_column(Text(printable(column)), overflow="fold")
    if texts:
        shown.add_column("text", overflow="ellipsis", no_wrap=True)
    for row in found:
        cells = [Text(_cell(getattr(row, name))) for name in figures]
        cells += [Text(printable(str(row.key[column]))) for column in columns]
        if texts:
            lines = printable(texts.get(row.row_key) or "").splitlines()
            cells.append(Text("\n".join(lines[:_LINES_OF_TEXT])))
        shown.add_row(*cells)
    return shown


def _figures(row: Neighbour | Match | Recommendation) -> dict[str, Any]:
    figures = asdict(row)
    del figures["row_key"]
    return figures


def _cell(figure: float | None) -> str:
    if figure is None:
        return "–"
    return f"{figure:.3f}" if isinstance(figure, float) else str(figure)


def _texts(
    db: Database, source: str, found: Sequence[Neighbour | Match | Recommendation]
) -> dict[str, str | None]:
    """The rows' texts where the role may render them: finding does not need that right."""
    try:
        return db.render_rows(source, [row.row_key for row in found]) if found else {}
    except EvervecError as error:
        if error.sqlstate in ("42501", "VE110"):
            return {}
        raise
