"""Counts that tests want shown at the end of a run, also when pytest-xdist ran them elsewhere.

A test adds them to its user_properties under STEP_COUNTS; reports carry those to the terminal.
"""

from __future__ import annotations

from collections import Counter

import pytest

STEP_COUNTS = "step_counts"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Show how often each kind of step happened, over all tests."""
    totals: Counter[str] = Counter()
    for reports in terminalreporter.stats.values():
        for report in reports:
            if getattr(report, "when", None) == "call":
                for name, counts in report.user_properties:
                    if name == STEP_COUNTS:
                        totals.update(counts)
    if totals:
        terminalreporter.section("steps of random histories")
        for name, count in sorted(totals.items()):
            terminalreporter.write_line(f"{count:8,}  {name}")
