"""Every block of SQL and of shell in the documents runs, in order; every link leads somewhere."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from evervec.cli.program import program
from tests.docs.blocks import ELSEWHERE, SHOWN, Stage, blocks, documents
from tests.support import pg_cron
from tests.support.cluster import OWNER, Cluster, Database
from tools.chain import ROOT
from tools.docs import examples

# A link's target; one to a heading within its own document has none before the #.
_LINK = re.compile(r"\[[^\]]*\]\((?!https?:)([^)#]*)(?:#([^)]*))?\)")
_HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)
_EVERVEC = re.compile(r"(?<![./\w])evervec ((?:[a-z]+)(?: (?:start|stop|url))?)")

PROSE = [
    *documents(),
    ROOT / "sql" / "README.md",
    ROOT / "docs" / "sql-api.md",
    *sorted((ROOT / "examples").glob("*/README.md")),
]


# Roles that docs/security.md takes for granted.
READER, WORKER = "evervec_reader", "evervec_worker"


@pytest.fixture(params=documents(), ids=lambda path: path.stem)
def page(request: pytest.FixtureRequest) -> Path:
    path = request.param
    assert isinstance(path, Path)
    return path


@pytest.fixture
def roles(page: Path, cluster: Cluster) -> Iterator[None]:
    """The roles, on the server as long as their only page needs them; before its database."""
    wanted = [role for role in (READER, WORKER) if role in page.read_text()]
    with cluster.connect() as conn:
        for role in wanted:
            conn.execute(f"create role {role} login password '{role}'")
        yield
        for role in wanted:
            conn.execute(f"drop role {role}")


def test_every_block_of_a_document_runs(
    page: Path,
    roles: None,
    cluster: Cluster,
    database: Database,
    superuser_conn: psycopg.Connection,
    tmp_path: Path,
) -> None:
    pg_cron.install(superuser_conn, role=OWNER)
    urls = {"READER_URL": READER, "WORKER_URL": WORKER}
    stage = Stage(
        tmp_path, database, {name: cluster.url(database.name, role) for name, role in urls.items()}
    )
    stage.prepare(examples()[0].sql)
    for block in blocks(page):
        if block.language not in SHOWN:
            stage.run(block)


@pytest.mark.parametrize("path", PROSE, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_block_says_what_it_is(path: Path) -> None:
    odd = [str(b) for b in blocks(path) if b.language not in ("sql", "sh", *SHOWN)]
    assert odd == []
    assert path.read_text().count("\n```") == 2 * len(blocks(path))


def test_the_commands_run_elsewhere_are_targets_of_make() -> None:
    makefile = (ROOT / "Makefile").read_text()
    for command in ELSEWHERE:
        assert f"\n{command.split()[1]}: " in makefile


@pytest.mark.parametrize("path", PROSE, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_leads_to_a_file_and_a_heading(path: Path) -> None:
    for target, anchor in _LINK.findall(path.read_text()):
        found = (path.parent / target) if target else path
        assert found.exists(), f"{path.name} links to {target}"
        if anchor:
            assert anchor in _anchors(found), f"{path.name} links to {target}#{anchor}"


@pytest.mark.parametrize("path", PROSE, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_command_named_in_prose_exists(path: Path) -> None:
    text = "\n".join(re.findall(r"`(evervec [^`\n]*)`", path.read_text()))
    named = {name.split()[0] for name in _EVERVEC.findall(text)}
    assert named <= set(program.commands)


def test_every_setting_is_documented_and_every_documented_one_exists() -> None:
    code = "".join(p.read_text() for p in (ROOT / "webhook").rglob("*.py"))
    manual = (ROOT / "docs" / "operations.md").read_text()
    names = re.compile(r"\b(?:EVERVEC|OPENAI)_[A-Z_]+")
    assert set(names.findall(code)) == set(names.findall(manual))


def _anchors(path: Path) -> set[str]:
    """The anchors that a renderer gives to the headings of a file."""
    text = path.read_text().replace("&lt;", "").replace("&gt;", "")
    return {
        re.sub(r"[^\w\- ]", "", heading).strip().lower().replace(" ", "-")
        for heading in _HEADING.findall(text)
    }
