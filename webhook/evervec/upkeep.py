"""Upkeep (folding, taking back, forgetting) for where no pg_cron does it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evervec import logs

if TYPE_CHECKING:
    from evervec.db import Database


def run(db: Database) -> None:
    """Do what is due and nobody else has done; what fails waits for its next turn."""
    while (done := db.maintain()) is not None:
        if done.error is not None:
            logs.error("upkeep_failed", job=done.job, message=done.error)
        elif done.result and any(done.result.values()):
            logs.info("upkeep_done", job=done.job, **{k: n for k, n in done.result.items() if n})
