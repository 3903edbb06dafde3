"""The fenced blocks of a Markdown file, and how they are run."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import psycopg

import evervec
from evervec import embedded
from tests.support.cluster import Database
from tools.chain import ROOT

# Shown, not run: output, diagrams, files of other programs and of tests, another machine's console.
SHOWN = ("console", "text", "ini", "python", "toml")

# Other tests and CI run these; they take minutes and install things.
ELSEWHERE = (
    "make demo",
    "make example NAME=game_library",
    "make test",
    "make test-debian",
    "make soak",
)

# What a URL at example.org stands for; a comment before a block of SQL says who runs it.
_PLACEHOLDER = re.compile(r"postgresql(?:\+psycopg)?://\S*?example\.org[^\s'\"]*")
_FENCE = re.compile(
    r"^(?P<as><!-- as a superuser -->\n)?```(?P<language>\S*)\n(?P<text>.*?)^```$", re.M | re.S
)


@dataclass(frozen=True)
class Block:
    """One fenced block and where it is."""

    path: Path
    line: int
    language: str
    text: str
    superuser: bool

    def __str__(self) -> str:
        return f"{self.path.relative_to(ROOT)}:{self.line}"


def documents() -> list[Path]:
    """The files whose blocks are run; those of sql-api.md are run by a test of their own."""
    pages = sorted((ROOT / "docs").rglob("*.md"))
    return [ROOT / "README.md", *(page for page in pages if page.name != "sql-api.md")]


def blocks(path: Path) -> list[Block]:
    """The blocks of a file in order."""
    text = path.read_text(encoding="utf-8")
    return [
        Block(
            path=path,
            line=text.count("\n", 0, match.start()) + 1,
            language=match["language"],
            text=match["text"],
            superuser=match["as"] is not None,
        )
        for match in _FENCE.finditer(text)
    ]


class Stage:
    """A folder, a database, and the programs that a reader of the documents has."""

    def __init__(self, folder: Path, database: Database, variables: Mapping[str, str]) -> None:
        self._folder = folder
        self._database = database
        self._environment = {
            **os.environ,
            **variables,
            "PATH": f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(Path(evervec.__file__).parents[1]),
            "EVERVEC_DATABASE_URL": database.url,
        }
        (folder / "bin").mkdir()
        for name, command in {
            "evervec": [sys.executable, "-c", "from evervec.cli import main; exit(main())"],
            "yoyo": [sys.executable, "-m", "yoyo"],
            "psql": [str(embedded.program("psql"))],
        }.items():
            script = folder / "bin" / name
            script.write_text(f'#!/bin/sh\nexec {shlex.join(command)} "$@"\n')
            script.chmod(0o755)
        for name in ("migrations", "yoyo.ini", "docker-compose.yml"):
            if (ROOT / name).exists():
                (folder / name).symlink_to(ROOT / name)

    def prepare(self, sql: str) -> None:
        """Run SQL as the owner: what the documents take for granted."""
        with psycopg.connect(self._database.url, autocommit=True) as conn:
            conn.execute(sql.encode())

    def run(self, block: Block) -> str:
        """Run a block of SQL or shell; what it printed. Fails the test when the block fails."""
        if block.language == "sql":
            url = self._database.superuser_url if block.superuser else self._database.url
            program = [
                str(embedded.program("psql")),
                "-X",
                "-q",
                "-v",
                "ON_ERROR_STOP=1",
                "-d",
                url,
            ]
            return self._run(block, program, block.text)
        lines = [line for line in block.text.splitlines() if _command(line) not in ELSEWHERE]
        script = _PLACEHOLDER.sub(self._url, "\n".join(lines))
        return self._run(block, ["bash", "-euo", "pipefail", "-c", script], "")

    def _url(self, placeholder: re.Match[str]) -> str:
        scheme = placeholder[0].partition("://")[0]
        return shlex.quote(self._database.url.replace("postgresql", scheme, 1))

    def _run(self, block: Block, program: list[str], given: str) -> str:
        result = subprocess.run(
            program,
            input=given,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=self._folder,
            env=self._environment,
            timeout=120,
            check=False,
        )
        assert result.returncode == 0, f"{block}:\n{block.text}\n{result.stdout}"
        return result.stdout


def _command(line: str) -> str:
    return line.partition("#")[0].strip()
