"""Where one SQL statement ends, as PostgreSQL sees it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

_TOKEN = re.compile(
    r"""
      (?P<comment>--[^\n]*)
    | (?P<block>/\*)
    | (?P<dollar>\$(?P<tag>[A-Za-z_]\w*)?\$.*?\$(?P=tag)\$|\$\$.*?\$\$)
    | (?P<escaped>\b[eE]'(?:[^'\\]|\\.|'')*')
    | (?P<string>'(?:[^']|'')*')
    | (?P<quoted>"(?:[^"]|"")*")
    | (?P<word>[A-Za-z_]\w*)
    | (?P<end>;)
    """,
    re.VERBOSE | re.DOTALL,
)


@dataclass
class _Splitter:
    """The state while reading: the words of the statement so far decide what a semicolon means."""

    text: str
    start: int = 0
    has_code: bool = False
    atomic: int = 0  # open BEGIN ATOMIC and CASE, each closed by END
    previous: str = ""
    statements: list[str] = field(default_factory=list)

    def finish(self, end: int) -> None:
        if self.has_code:
            self.statements.append(self.text[self.start : end].strip())
        self.start, self.has_code, self.atomic, self.previous = end, False, 0, ""

    def word(self, word: str) -> None:
        if (word == "atomic" and self.previous == "begin") or (word == "case" and self.atomic):
            self.atomic += 1
        elif word == "end" and self.atomic:
            self.atomic -= 1
        self.previous = word


def split(text: str) -> list[str]:
    """The statements of a text, each with its semicolon and the comments before it.

    Quotes, dollar quotes, comments (nested ones too) and BEGIN ATOMIC … END bodies are kept whole;
    what consists of comments alone is no statement.
    """
    reader = _Splitter(text)
    position = 0
    while (match := _TOKEN.search(text, position)) is not None:
        if text[position : match.start()].strip():
            reader.has_code = True
        position = match.end()
        kind = match.lastgroup
        if kind == "block":
            position = _block_end(text, match.start())
        elif kind == "end" and not reader.atomic:
            reader.finish(position)
        elif kind != "comment":
            reader.has_code = True
            reader.word(match["word"].lower() if kind == "word" else "")
    if text[position:].strip():
        reader.has_code = True
    reader.finish(len(text))
    return reader.statements


def strip_comments(text: str) -> str:
    """The text without its comments; what stands in quotes stays."""
    parts, position = [], 0
    while (match := _TOKEN.search(text, position)) is not None:
        comment = match.lastgroup in {"comment", "block"}
        parts.append(text[position : match.start() if comment else match.end()])
        in_block = match.lastgroup == "block"
        position = _block_end(text, match.start()) if in_block else match.end()
    return "".join([*parts, text[position:]])


def _block_end(text: str, start: int) -> int:
    depth = 0
    for mark in re.compile(r"/\*|\*/").finditer(text, start):
        depth += 1 if mark[0] == "/*" else -1
        if depth == 0:
            return mark.end()
    return len(text)
