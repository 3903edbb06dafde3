"""A small project of sql/ and migrations/ in a temporary folder, frozen and applied for real."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tools import freeze, lint
from tools.chain import ROOT, read_chain, sealed

FIRST = """\
-- The schema, and what every migration writes itself into.

create schema evervec;
create table evervec.schema_version (
    migration_id text primary key, checksum text not null, applied_at timestamptz default now());
"""


@dataclass(frozen=True)
class Project:
    """The folder that holds sql/ and migrations/."""

    root: Path

    @classmethod
    def create(cls, root: Path) -> Project:
        """A project with one migration by hand, which makes schema and table, and an empty sql/."""
        for name in ("sql", "migrations"):
            (root / name).mkdir()
        first = root / "migrations" / "evervec_0001_start.sql"
        first.write_text(FIRST)
        first.with_suffix(".rollback.sql").write_text("drop schema evervec cascade;\n")
        first.write_text(sealed(read_chain(root / "migrations")[0]).text)
        return cls(root)

    @property
    def migrations(self) -> Path:
        return self.root / "migrations"

    def write(self, path: str, text: str | None) -> None:
        """Write a file under sql/; None removes it."""
        file = self.root / "sql" / path
        if text is None:
            file.unlink()
        else:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)

    def become(self, state: dict[str, str]) -> None:
        """Make sql/ hold exactly these files."""
        for file in (self.root / "sql").rglob("*.sql"):
            file.unlink()
        for path, text in state.items():
            self.write(path, text)

    def run_freeze(self, *arguments: str) -> int:
        """`tools/freeze ARGUMENTS`; its return code."""
        return freeze.main(arguments, self.root)

    def frozen(self, name: str) -> tuple[str, str]:
        """Freeze under a name; the texts of the migration and of its rollback."""
        forward, rollback = freeze.freeze(self.root, name)
        return forward.read_text(), rollback.read_text()

    def faults(self) -> list[str]:
        """What `tools/verify --files` finds."""
        return lint.faults(self.root)

    def newest(self) -> Path:
        """The file of the newest migration."""
        return read_chain(self.migrations)[-1].path


def function(
    name: str, arguments: str = "", body: str = "select 1", returns: str = "integer"
) -> str:
    """A file of sql/ with one SQL function; arguments as `p_a integer, p_b text`."""
    types = ", ".join(a.partition(" default")[0].split()[1] for a in arguments.split(", ") if a)
    return f"""\
-- {name}: for a test.
create or replace function evervec.{name}({arguments})
returns {returns}
language sql
set search_path from current
as $$
{body}
$$;

comment on function evervec.{name}({types}) is
$${name} of a test; a semicolon, and -- no comment.$$;
"""


def view(name: str, query: str, needs: str = "") -> str:
    """A file of sql/ with one view."""
    head = f"-- needs: {needs}\n" if needs else ""
    return f"""\
-- {name}: for a test.
{head}create or replace view evervec.{name} as
{query};

comment on view evervec.{name} is $${name} of a test$$;
"""


__all__ = ["ROOT", "Project", "function", "view"]
