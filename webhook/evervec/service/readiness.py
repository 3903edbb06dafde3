"""Whether the webhook could work now."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from evervec import resources
from evervec.service.problems import RefusedError

if TYPE_CHECKING:
    from evervec.service.state import State


def check(state: State) -> None:
    """Raise RefusedError unless the database is migrated as far as this program, and EvervecError
    unless the provider of every model in use can be asked.
    """
    db = state.db
    missing = resources.migration_ids() - db.applied_migrations()
    if missing:
        raise RefusedError(
            HTTPStatus.SERVICE_UNAVAILABLE,
            "migrations",
            f"the evervec in this database lacks {', '.join(sorted(missing))}",
            hint="Run: evervec migrate",
        )
    for name in sorted(set(db.active_sources().values())):
        state.providers.prepare(db.get_model(name))
