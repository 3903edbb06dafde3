"""docs/applications.md: every feature has a test, and every test that it names is there."""

from __future__ import annotations

import re

import pytest

from tools.chain import ROOT

TABLE = [
    row
    for row in (ROOT / "docs" / "applications.md").read_text().splitlines()
    if row.startswith("| ") and not row.startswith("| feature |")
]


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.split("|")[1].strip()[:40])
def test_a_feature_names_its_tests(row: str) -> None:
    feature, place, tests = (cell.strip() for cell in row.strip("|").split("|"))
    there = "".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
    named = re.findall(r"`(test_\w+)`", tests)

    assert feature
    assert place
    assert named
    assert [name for name in named if f"def {name}(" not in there] == []
