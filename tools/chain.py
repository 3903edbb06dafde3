"""The migrations as a chain of files, and what their marked sections say about sql/.

A frozen migration holds a generated region, in which `-- file: functions/area/name.sql` precedes
the text of that file, and `-- removed: …` tells that a file went. The former text of an object is
its last section in the chain. What stands outside the region is written by hand, and freezing again
keeps it.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from evervec.migrate import SEAL, checksum
from tools.objects import SqlFile
from tools.statements import split

ROOT = Path(__file__).resolve().parent.parent
GENERATED_BEGIN = "-- generated: begin (tools/freeze writes from here"
GENERATED_END = "-- generated: end"
RELEASED = "checksums.txt"

_NAME = re.compile(r"evervec_(\d{4})_[a-z0-9_]+")
_DEPENDS = re.compile(r"^--\s*depends:\s*(.*?)\s*$", re.MULTILINE)
_MARKER = re.compile(r"^-- (?P<what>file|removed|generated): (?P<path>\S+).*$", re.MULTILINE)


class ChainError(Exception):
    """The migrations cannot be read as a chain; the message is a sentence."""


@dataclass(frozen=True)
class Migration:
    """One migration and its rollback, as they stand in their files."""

    path: Path
    text: str
    rollback_text: str | None

    @property
    def migration_id(self) -> str:
        """The file's name without its ending, as yoyo has it."""
        return self.path.stem

    @property
    def number(self) -> int:
        """The place in the chain, from the file's name."""
        match = _NAME.fullmatch(self.migration_id)
        if match is None:
            raise ChainError(f"{self.path.name}: the name must be evervec_NNNN_<lower case>.sql")
        return int(match[1])

    @property
    def rollback_path(self) -> Path:
        """Where the rollback is, or should be."""
        return self.path.with_suffix(".rollback.sql")

    @property
    def depends(self) -> tuple[str, ...]:
        """The ids after `-- depends:`."""
        return tuple(word for line in _DEPENDS.findall(self.text) for word in line.split())

    @property
    def frozen(self) -> bool:
        """Whether tools/freeze wrote a region of it."""
        return GENERATED_BEGIN in self.text

    @cached_property
    def sections(self) -> dict[str, SqlFile | None]:
        """Path under sql/ → its text here, or None where it was removed."""
        found: dict[str, SqlFile | None] = {}
        marks = list(_MARKER.finditer(self.text))
        ends = [mark.start() for mark in marks[1:]] + [len(self.text)]
        for mark, end in zip(marks, ends, strict=False):
            if mark["what"] == "file":
                body = self.text[mark.end() : end].strip() + "\n"
                found[mark["path"]] = SqlFile(mark["path"], body)
            elif mark["what"] == "removed":
                found[mark["path"]] = None
        return found


def read_chain(folder: Path) -> list[Migration]:
    """All migrations of a folder in the order of their numbers."""
    found = []
    for path in folder.glob("*.sql"):
        if not path.name.endswith(".rollback.sql"):
            rollback = path.with_suffix(".rollback.sql")
            text = rollback.read_text(encoding="utf-8") if rollback.exists() else None
            found.append(Migration(path, path.read_text(encoding="utf-8"), text))
    return sorted(found, key=lambda m: m.number)


def objects_after(chain: list[Migration]) -> dict[str, SqlFile]:
    """What sql/ was when the last of these migrations was frozen."""
    state: dict[str, SqlFile] = {}
    for migration in chain:
        for path, file in migration.sections.items():
            if file is None:
                state.pop(path, None)
            else:
                state[path] = file
    return state


def read_sql(folder: Path) -> dict[str, SqlFile]:
    """The files under sql/ as they are now, by their path below it."""
    return {
        path.relative_to(folder).as_posix(): SqlFile(
            path.relative_to(folder).as_posix(), path.read_text(encoding="utf-8")
        )
        for path in sorted(folder.rglob("*.sql"))
    }


def sealed(migration: Migration) -> Migration:
    """The migration with the INSERT that records it as its last statement, its checksum right."""
    seal = SEAL.search(migration.text)
    body = migration.text[: seal.start()] if seal else migration.text.rstrip() + "\n\n"
    return replace(
        migration,
        text=body
        + "insert into evervec.schema_version (migration_id, checksum)\n"
        + f"values ('{migration.migration_id}', '{checksum(body)}');\n",
    )


def seal_fault(migration: Migration) -> str | None:
    """What is wrong with the last statement of a migration, or None."""
    seal = SEAL.search(migration.text)
    if seal is None or not split(migration.text)[-1].endswith(seal[0].strip()):
        return "does not end with the INSERT into evervec.schema_version"
    if seal["id"] != migration.migration_id:
        return f"records itself as {seal['id']}"
    if seal["checksum"] != checksum(migration.text):
        return "holds a checksum that is not its own (run tools/freeze --amend)"
    return None


def released(folder: Path) -> dict[str, str]:
    """File name → SHA-256 of the released files; they never change again."""
    path = folder / RELEASED
    if not path.exists():
        return {}
    lines = path.read_text(encoding="utf-8").splitlines()
    pairs = (line.split() for line in lines if line.strip() and not line.startswith("#"))
    return {name: digest for digest, name in pairs}


def file_digest(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
