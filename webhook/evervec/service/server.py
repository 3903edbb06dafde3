"""gunicorn, with the settings of `evervec serve`."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from gunicorn.app.base import BaseApplication
from gunicorn.glogging import Logger

from evervec import logs
from evervec.app import create_app
from evervec.config import Config
from evervec.service.runner import BATCHES

if TYPE_CHECKING:
    from flask import Flask
    from gunicorn.arbiter import Arbiter
    from gunicorn.config import Config as Settings

# Beyond what a provider may take to answer: time to store what is paid for.
_GRACE_SECONDS: Final = 15


class Server(BaseApplication):  # type: ignore[misc]
    """Processes with threads; each answers requests, and has one run in the background."""

    def __init__(
        self, database_url: str | None, address: str, *, workers: int, threads: int
    ) -> None:
        self._database_url = database_url
        self._settings = {
            "bind": address,
            "workers": workers,
            "threads": threads,
            "worker_class": "gthread",
            "graceful_timeout": int(self._config().request_timeout) + _GRACE_SECONDS,
            "loglevel": "warning",
            "logger_class": _Log,
            "control_socket_disable": True,
            "when_ready": _say_where,
        }
        super().__init__()

    def load_config(self) -> None:
        """What gunicorn asks for first."""
        for name, value in self._settings.items():
            self.cfg.set(name, value)

    def load(self) -> Flask:
        """The application, made in each process, which so has a name of its own."""
        return create_app(self._config())

    def _config(self) -> Config:
        return Config.from_environment(database_url=self._database_url, concurrency=BATCHES)


class _Log(Logger):  # type: ignore[misc]
    """gunicorn's own lines, as ours are."""

    def setup(self, cfg: Settings) -> None:
        """Called once in each process."""
        super().setup(cfg)
        self.error_log.handlers[:] = [_Relay()]


class _Relay(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        # Behind a colon may be a piece of somebody's request.
        logs.log(record.levelno, "gunicorn", message=record.getMessage().partition(": ")[0])


def _say_where(arbiter: Arbiter) -> None:
    for listener in arbiter.LISTENERS:
        logs.info("serving", address=str(listener))
