"""What must hold of the migration files before any server sees them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import sqlparse

from tools.chain import (
    GENERATED_BEGIN,
    Migration,
    file_digest,
    objects_after,
    read_chain,
    read_sql,
    released,
    seal_fault,
)
from tools.freeze import filled
from tools.objects import SqlFileError, ordered
from tools.statements import split, strip_comments


def faults(root: Path) -> list[str]:
    """Sentences that each name a file and what is wrong with it; empty when all is well."""
    folder = root / "migrations"
    chain = read_chain(folder)
    if not chain:
        return [f"{folder}: there are no migrations"]
    return [
        *_chain_faults(chain),
        *(f"{m.path.name} {fault}" for m in chain for fault in _file_faults(m)),
        *_release_faults(folder),
        *_sql_faults(root, chain),
    ]


def _chain_faults(chain: list[Migration]) -> Iterator[str]:
    for place, migration in enumerate(chain, start=1):
        if migration.number != place:
            yield f"{migration.path.name} should have the number {place:04}: no gaps, no doubles"
        before = (chain[place - 2].migration_id,) if place > 1 else ()
        if migration.depends != before:
            expected = f"`-- depends: {before[0]}`" if before else "no `-- depends:`"
            yield f"{migration.path.name} should have {expected}: the chain is linear"


def _file_faults(migration: Migration) -> Iterator[str]:
    fault = seal_fault(migration)
    if fault:
        yield fault
    if migration.rollback_text is None:
        yield f"has no {migration.rollback_path.name}"
        return
    forgets = f"where migration_id = '{migration.migration_id}'"
    if forgets not in migration.rollback_text and "drop schema evervec" not in (
        migration.rollback_text
    ):
        yield "is not forgotten by its rollback: delete its row from evervec.schema_version"
    for text, name in ((migration.text, "it"), (migration.rollback_text, "its rollback")):
        if torn := _torn_statement(text):
            yield f"would be torn by yoyo: in {name} a statement would begin with {torn!r}"
    if migration.frozen != (GENERATED_BEGIN in migration.rollback_text):
        yield "and its rollback must both have a generated region, or neither"


def _torn_statement(text: str) -> str | None:
    """The beginning of the first statement that yoyo would cut otherwise than PostgreSQL does.

    yoyo splits by sqlparse, which does not know all of PostgreSQL: it needs a space before `$$`.
    """
    theirs = [part.strip() for part in sqlparse.split(text) if strip_comments(part).strip()]
    ours = split(text)
    for mine, other in zip(ours, theirs, strict=False):
        if mine != other:
            return other[:60]
    return None if len(ours) == len(theirs) else theirs[min(len(ours), len(theirs)) - 1][:60]


def _release_faults(folder: Path) -> Iterator[str]:
    for name, digest in released(folder).items():
        if not (folder / name).exists():
            yield f"{name} was released and is missing"
        elif file_digest(folder / name) != digest:
            yield f"{name} was released and has changed since: write a new migration instead"


def _sql_faults(root: Path, chain: list[Migration]) -> Iterator[str]:
    """Whether the migrations have what sql/ has."""
    try:
        new = read_sql(root / "sql")
        for file in ordered(new):
            _ = file.objects  # every file must say what it creates
            if any(
                line.startswith(("-- file:", "-- generated:")) for line in file.text.split("\n")
            ):
                yield f"sql/{file.path} has a line that tools/freeze takes for its own marker"
    except SqlFileError as error:
        yield str(error)
        return
    old = objects_after(chain)
    differing = [p for p in {*old, *new} if p not in old or p not in new]
    differing += [p for p in old if p in new and old[p].text.strip() != new[p].text.strip()]
    for path in sorted(differing):
        yield f"sql/{path} is not what the migrations have: run `make migration name=…`"
    fixed = released(root / "migrations")
    for place, migration in enumerate(chain):
        if differing or not migration.frozen or migration.path.name in fixed:
            continue
        if GENERATED_BEGIN not in (migration.rollback_text or ""):
            continue  # told above
        again = filled(migration, objects_after(chain[:place]), objects_after(chain[: place + 1]))
        if (again.text, again.rollback_text) != (migration.text, migration.rollback_text):
            yield f"{migration.path.name} is not what tools/freeze writes: run it with --amend"
