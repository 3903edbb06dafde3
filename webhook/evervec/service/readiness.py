"""Whether the webhook could work now."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evervec import resources
from evervec.errors import EvervecError

if TYPE_CHECKING:
    from evervec.service.state import State


def check(state: State) -> None:
    """Raise EvervecError unless the database is migrated as far as this program, and the provider
    of every model in use can be asked.
    """
    db = state.db
    missing = resources.migration_ids() - db.applied_migrations()
    if missing:
        raise EvervecError(
            "the evervec in this database is older than this program",
            detail=f"It lacks {', '.join(sorted(missing))}.",
            hint="Run: evervec migrate",
            sqlstate="VE004",
        )
    for name in sorted(set(db.active_sources().values())):
        state.providers.prepare(db.get_model(name))
