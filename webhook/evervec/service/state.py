"""What the routes of one process share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from flask import current_app

from evervec.db import Database
from evervec.providers import Providers
from evervec.service.runner import Runner

if TYPE_CHECKING:
    from evervec.config import Config

APPLICATION_NAME: Final = "evervec webhook"

# Of the requests in one process; the run in the background has its own, so neither waits for the
# other.
_CONNECTIONS: Final = 8


class State:
    """Settings, providers, database and runner of one process."""

    def __init__(self, config: Config, providers: Providers | None = None) -> None:
        self.config = config
        self.providers = providers or Providers.configured(config)
        self.runner = Runner(config, self.providers)
        self._db = Database(
            config.database_url,
            connect_timeout=config.connect_timeout,
            max_size=_CONNECTIONS,
            application_name=APPLICATION_NAME,
        )

    @property
    def db(self) -> Database:
        """The database. Raises DatabaseUnavailableError."""
        return self._db.connect()

    def close(self) -> None:
        """Finish what is in hand, and leave the database."""
        self.runner.close()
        self._db.close()


def state() -> State:
    """That of the process which answers the present request."""
    found: State = current_app.extensions["evervec"]
    return found
