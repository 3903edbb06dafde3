"""Turn what changed under sql/ into a migration and its rollback.

`tools/freeze NAME` writes the next migration. `tools/freeze --amend` writes the newest frozen one
again, as long as it is not released, and seals the unreleased ones that are written by hand.
`tools/freeze --release` lists all files in migrations/checksums.txt: they never change again.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from evervec.migrate import SEAL
from tools.chain import (
    GENERATED_BEGIN,
    GENERATED_END,
    RELEASED,
    ROOT,
    ChainError,
    Migration,
    file_digest,
    objects_after,
    read_chain,
    read_sql,
    released,
    sealed,
)
from tools.objects import SqlFile, SqlFileError, dependants, ordered, same_text

PREAMBLE = (ROOT / "tools" / "preamble.sql").read_text(encoding="utf-8")

_REGION = re.compile(
    rf"^{re.escape(GENERATED_BEGIN)}.*?^{re.escape(GENERATED_END)}$", re.MULTILINE | re.DOTALL
)


def main(arguments: Sequence[str] | None = None, root: Path = ROOT) -> int:
    """Run as a command; 0 when the files are written."""
    parser = argparse.ArgumentParser(prog="tools/freeze", description=__doc__)
    parser.add_argument("name", nargs="?", help="of the next migration, e.g. `faster_claims`")
    parser.add_argument("--amend", action="store_true", help="rewrite the newest unreleased one")
    parser.add_argument("--release", action="store_true", help="from now on no file may change")
    options = parser.parse_args(arguments)
    if bool(options.name) + options.amend + options.release != 1:
        parser.error("give a NAME, or --amend, or --release")
    try:
        if options.release:
            written = release(root)
        elif options.amend:
            written = amend(root)
        else:
            written = freeze(root, options.name)
    except (ChainError, SqlFileError) as error:
        print(f"tools/freeze: {error}", file=sys.stderr)
        return 1
    for path in written:
        print(path.relative_to(root))
    if not written:
        print("nothing to freeze: the migrations have all of sql/")
    return 0


def freeze(root: Path, name: str) -> list[Path]:
    """Write the next migration with what changed under sql/; the files written, none if nothing."""
    if not re.fullmatch(r"[a-z0-9_]+", name):
        raise ChainError(f"{name!r}: lower-case letters, digits and _ only")
    chain = read_chain(root / "migrations")
    old, new = objects_after(chain), read_sql(root / "sql")
    if not _changed(old, new):
        return []
    number = chain[-1].number + 1 if chain else 1
    migration_id = f"evervec_{number:04}_{name}"
    depends = f"-- depends: {chain[-1].migration_id}\n" if chain else ""
    empty = f"{GENERATED_BEGIN}\n{GENERATED_END}\n"
    blank = Migration(
        root / "migrations" / f"{migration_id}.sql",
        f"--\n-- {name.replace('_', ' ').capitalize()}.\n--\n{depends}\n{PREAMBLE}\n{empty}",
        f"{PREAMBLE}\n{empty}\n"
        f"delete from evervec.schema_version where migration_id = '{migration_id}';\n",
    )
    return _write(filled(blank, old, new))


def amend(root: Path) -> list[Path]:
    """Write the newest frozen migration again from sql/, and seal all that are not released."""
    folder = root / "migrations"
    chain, fixed = read_chain(folder), released(folder)
    frozen = [m for m in chain if m.frozen and m.path.name not in fixed]
    target = frozen[-1] if frozen else None
    new = read_sql(root / "sql")
    if target is None and _changed(objects_after(chain), new):
        raise ChainError("every frozen migration is released: give a NAME for the next one")
    changed = []
    for migration in chain:
        if migration is target:
            before = chain[: chain.index(migration)]
            changed.append(filled(migration, objects_after(before), new))
        elif migration.path.name not in fixed:
            changed.append(sealed(migration))
    return [path for migration in changed for path in _write(migration)]


def release(root: Path) -> list[Path]:
    """List every migration file with its SHA-256; listed ones are kept as they are."""
    folder = root / "migrations"
    fixed = released(folder)
    digests = {p.name: file_digest(p) for p in sorted(folder.glob("*.sql"))} | fixed
    lines = [f"{digest}  {name}\n" for name, digest in sorted(digests.items())]
    head = "# Released migrations: sha256 and file. They never change; `make verify` compares.\n"
    (folder / RELEASED).write_text(head + "".join(lines), encoding="utf-8")
    return [folder / RELEASED]


def filled(
    migration: Migration, old: Mapping[str, SqlFile], new: Mapping[str, SqlFile]
) -> Migration:
    """The migration with its generated regions leading from old to new and back, sealed."""
    if migration.rollback_text is None or GENERATED_BEGIN not in migration.rollback_text:
        raise ChainError(f"{migration.rollback_path.name}: the generated region is missing")
    body = SEAL.sub("", migration.text)
    return sealed(
        Migration(
            migration.path,
            _with_region(body, step(old, new)),
            _with_region(migration.rollback_text, step(new, old)),
        )
    )


def step(old: Mapping[str, SqlFile], new: Mapping[str, SqlFile]) -> str:
    """The statements that lead from one state of sql/ to another, with a marker before each file.

    First goes what vanished or cannot be replaced, with all that is bound to it, last created
    first; then comes what is new, changed, or has to come again.
    """
    changed = _changed(old, new)
    dropped = {
        path
        for path in changed & old.keys()
        if path not in new or not old[path].replaceable_by(new[path])
    }
    dropped |= dependants(dropped, old)
    created = (changed | dropped) & new.keys()

    parts = []
    drops = [o.drop for f in reversed(ordered(old)) if f.path in dropped for o in f.objects[::-1]]
    if drops:
        parts.append("\n".join(drops))
    parts += [f"-- removed: {path}" for path in sorted(changed - new.keys())]
    parts += [f"-- file: {f.path}\n{f.text.strip()}" for f in ordered(new) if f.path in created]
    return "\n\n".join(parts)


def _changed(old: Mapping[str, SqlFile], new: Mapping[str, SqlFile]) -> set[str]:
    both = old.keys() & new.keys()
    return (old.keys() ^ new.keys()) | {p for p in both if not same_text(old[p], new[p])}


def _with_region(text: str, region: str) -> str:
    begin = f"{GENERATED_BEGIN}; what is outside is written by hand and kept)"
    block = "\n\n".join(part for part in (begin, region, GENERATED_END) if part)
    return _REGION.sub(lambda _: block, text)


def _write(migration: Migration) -> list[Path]:
    """Write what differs from the disk; the files written."""
    texts = {migration.path: migration.text, migration.rollback_path: migration.rollback_text}
    written = []
    for path, text in texts.items():
        if text is not None and (not path.exists() or path.read_text(encoding="utf-8") != text):
            path.write_text(text, encoding="utf-8")
            written.append(path)
    return written


if __name__ == "__main__":
    sys.exit(main())
