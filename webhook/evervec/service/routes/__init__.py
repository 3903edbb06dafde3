"""The routes, a file a topic."""

from __future__ import annotations

from evervec.service.routes import (
    alerts,
    dead_letters,
    embed,
    jobs,
    operations,
    search,
    sources,
    wake,
)

BLUEPRINTS = (
    wake.api,
    embed.api,
    search.api,
    sources.api,
    jobs.api,
    dead_letters.api,
    alerts.api,
    operations.api,
)
