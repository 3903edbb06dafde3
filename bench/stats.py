"""What is measured, and what is said of several measurements."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True)
class Measurement:
    """One run of one case by one contender."""

    seconds: float
    wal_bytes: int
    logged: int  # rows that it put into the contender's log or queue


@dataclass(frozen=True)
class Summary:
    """Several runs of one case by one contender."""

    seconds: float  # median
    low: float
    high: float
    wal_bytes: int  # median
    logged: int

    @classmethod
    def of(cls, runs: Sequence[Measurement]) -> Summary:
        """Medians and range of at least one run."""
        seconds = [run.seconds for run in runs]
        return cls(
            seconds=median(seconds),
            low=min(seconds),
            high=max(seconds),
            wal_bytes=round(median(run.wal_bytes for run in runs)),
            logged=round(median(run.logged for run in runs)),
        )


def thousands(number: float) -> str:
    """1234567 as 1,234,567."""
    return f"{number:,.0f}"


def duration(seconds: float) -> str:
    """Three digits with a unit: 812 µs, 25.6 ms, 1.24 s."""
    for unit, size in (("µs", 1e-6), ("ms", 1e-3)):
        if seconds < 1_000 * size * 0.9995:
            return f"{_three(seconds / size)} {unit}"
    return f"{_three(seconds)} s"


def size(count: float) -> str:
    """Three digits with a unit: 88 B, 1.31 MB."""
    if count < 1_000:
        return f"{count:.0f} B"
    if count < 999_500:
        return f"{_three(count / 1e3)} kB"
    return f"{_three(count / 1e6)} MB"


def ratio(number: float) -> str:
    """1.04 ×, 12.3 ×."""
    return f"{number:.2f} ×" if number < 9.995 else f"{number:.1f} ×"


def _three(number: float) -> str:
    if number >= 99.95:
        return f"{number:.0f}"
    return f"{number:.1f}" if number >= 9.995 else f"{number:.2f}"
