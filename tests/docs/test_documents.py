"""Every block of SQL and of shell in the documents runs, in order; every link leads somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from evervec.cli.program import program
from tests.docs.blocks import ELSEWHERE, SHOWN, Stage, blocks, documents
from tests.support.cluster import Database
from tools.chain import ROOT
from tools.docs import examples

# A link's target; one to a heading within its own document has none before the #.
_LINK = re.compile(r"\[[^\]]*\]\((?!https?:)([^)#]*)(?:#([^)]*))?\)")
_HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)
_EVERVEC = re.compile(r"(?<![./\w])evervec ((?:[a-z]+)(?: (?:start|stop|url))?)")

PROSE = [*documents(), ROOT / "sql" / "README.md", ROOT / "docs" / "sql-api.md"]


@pytest.mark.parametrize("path", documents(), ids=lambda path: path.stem)
def test_every_block_of_a_document_runs(path: Path, tmp_path: Path, database: Database) -> None:
    stage = Stage(tmp_path, database)
    stage.prepare(examples()[0].sql)
    for block in blocks(path):
        if block.language not in SHOWN:
            stage.run(block)


@pytest.mark.parametrize("path", PROSE, ids=lambda path: path.name)
def test_every_block_says_what_it_is(path: Path) -> None:
    odd = [str(b) for b in blocks(path) if b.language not in ("sql", "sh", *SHOWN)]
    assert odd == []
    assert path.read_text().count("\n```") == 2 * len(blocks(path))


def test_the_commands_run_elsewhere_are_targets_of_make() -> None:
    makefile = (ROOT / "Makefile").read_text()
    for command in ELSEWHERE:
        assert f"\n{command.removeprefix('make ')}: " in makefile


@pytest.mark.parametrize("path", PROSE, ids=lambda path: path.name)
def test_every_link_leads_to_a_file_and_a_heading(path: Path) -> None:
    for target, anchor in _LINK.findall(path.read_text()):
        found = (path.parent / target) if target else path
        assert found.exists(), f"{path.name} links to {target}"
        if anchor:
            assert anchor in _anchors(found), f"{path.name} links to {target}#{anchor}"


@pytest.mark.parametrize("path", PROSE, ids=lambda path: path.name)
def test_every_command_named_in_prose_exists(path: Path) -> None:
    text = "\n".join(re.findall(r"`(evervec [^`\n]*)`", path.read_text()))
    named = {name.split()[0] for name in _EVERVEC.findall(text)}
    assert named <= set(program.commands)


def _anchors(path: Path) -> set[str]:
    """The anchors that a renderer gives to the headings of a file."""
    text = path.read_text().replace("&lt;", "").replace("&gt;", "")
    return {
        re.sub(r"[^\w\- ]", "", heading).strip().lower().replace(" ", "-")
        for heading in _HEADING.findall(text)
    }
