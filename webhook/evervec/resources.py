"""Where sql/ and migrations/ are: inside the installed package, or at the top of a source tree."""

from __future__ import annotations

from pathlib import Path

from evervec.errors import EvervecError

PACKAGE = Path(__file__).resolve().parent


def migrations_dir() -> Path:
    """The folder of the yoyo migrations; EvervecError when it is missing or holds none.

    The check matters: yoyo itself takes a wrong path for "nothing to do".
    """
    return _folder("migrations", "evervec_*.sql")


def migration_ids() -> set[str]:
    """The ids of the migrations of this package."""
    return {
        path.stem
        for path in migrations_dir().glob("evervec_*.sql")
        if not path.name.endswith(".rollback.sql")
    }


def sql_dir() -> Path:
    """The folder with the current text of every function, trigger and view."""
    return _folder("sql", "**/*.sql")


def _folder(name: str, pattern: str) -> Path:
    candidates = (PACKAGE / name, PACKAGE.parents[1] / name)
    found = next((path for path in candidates if path.is_dir()), None)
    if found is None:
        raise EvervecError(
            f"evervec's folder {name}/ is missing",
            detail=f"Looked at {' and '.join(str(path) for path in candidates)}.",
            hint="Install evervec again: pip install --force-reinstall evervec.",
        )
    require_files(found, pattern)
    return found


def require_files(folder: Path, pattern: str) -> None:
    """EvervecError unless the folder exists and holds at least one file of the pattern."""
    if not folder.is_dir():
        raise EvervecError(f"there is no folder {folder}")
    if next(folder.glob(pattern), None) is None:
        raise EvervecError(
            f"the folder {folder} holds no file {pattern}",
            hint="Give the folder that holds evervec's own files, or install evervec again.",
        )
