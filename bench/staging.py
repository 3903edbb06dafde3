"""The rows that every contender's table is filled from: prose of made-up words, always the same."""

from __future__ import annotations

import random

import numpy as np
import psycopg
from psycopg import sql

from bench.server import DIMENSIONS, script

SHORT_CHARACTERS = 500  # title and body together
TITLE_CHARACTERS = 40
LONG_CHARACTERS = 20_000
LONG_ROWS = 1_000

_SYLLABLES = [consonant + vowel for consonant in "bdfgklmnprst" for vowel in "aeiou"]


def vector_type() -> sql.Composable:
    """vector(DIMENSIONS)."""
    return sql.SQL("vector({})").format(sql.Literal(DIMENSIONS))


def fill(conn: psycopg.Connection, rows: int) -> None:
    """Create schema bench: `rows` short texts, 1,000 long ones, and `rows` vectors."""
    conn.execute(script("staging.sql", vector=vector_type()))
    chance = random.Random(7)  # noqa: S311 - texts, not secrets
    words = ["".join(chance.choices(_SYLLABLES, k=chance.randint(1, 4))) for _ in range(5_000)]
    with conn.cursor() as cursor:
        with cursor.copy("copy bench.short from stdin") as copy:
            for row in range(1, rows + 1):
                title = _prose(chance, words, TITLE_CHARACTERS)
                copy.write_row((row, title, _prose(chance, words, SHORT_CHARACTERS - len(title))))
        with cursor.copy("copy bench.long from stdin") as copy:
            for row in range(1, LONG_ROWS + 1):
                copy.write_row((row, _prose(chance, words, LONG_CHARACTERS)))
        numbers = np.random.default_rng(7).random((rows, DIMENSIONS), dtype=np.float32)
        with cursor.copy("copy bench.vector from stdin") as copy:
            for row, vector in enumerate(numbers, start=1):
                copy.write_row((row, "[" + ",".join(f"{number:.4f}" for number in vector) + "]"))
    conn.execute("vacuum analyze bench.short, bench.long, bench.vector")


def _prose(chance: random.Random, words: list[str], length: int) -> str:
    return " ".join(chance.choices(words, k=length // 3))[:length]
