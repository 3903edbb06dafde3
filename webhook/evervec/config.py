"""Settings of the service, read once from the environment and then frozen."""

from __future__ import annotations

import math
import os
import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

import psycopg
from psycopg.conninfo import conninfo_to_dict

from evervec.errors import EvervecError

LOG_FORMATS: Final = ("text", "json")
LOG_LEVELS: Final = ("debug", "info", "warning", "error")

# As the database has it for evervec.model.provider.
_PROFILE: Final = re.compile(r"[a-z][a-z0-9_-]*")


def _cores() -> int:
    """Those that this process may use, where the system tells them from those that there are."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _worker_name() -> str:
    return f"{socket.gethostname()}:{os.getpid()}"


@dataclass(frozen=True)
class Config:
    """Everything the environment decides; see `from_environment` for the names of the variables.

    database_url     libpq URL or key=value string; "" leaves everything to libpq's PG* variables
    batch_size       rows claimed at a time
    concurrency      batches at a time in one worker: requests in flight, at most
    lease_seconds    how long a claim is ours without a heartbeat; then another worker may take it
    poll_seconds     longest wait between two looks for work, at most 1
    connect_timeout  seconds until an unreachable database is reported
    request_timeout  seconds a provider has to answer one request
    tenants          the provider profile to use on behalf of each tenant; "*": every other one
    local_processes  that compute an offline model; with one, no others are started
    worker_name      who claims; shown in the batch log
    cron_secret      what a scheduler outside the database brings to the webhook; "": nobody may
    max_body         bytes of a request to the webhook, at most
    max_texts        texts of one request to embed
    max_rows         rows of one request: keys, jobs, a batch
    max_seconds      that one request may work
    log_format       "text" or "json", one line an event
    log_level        "debug", "info", "warning" or "error"
    """

    # repr=False: the URL may carry a password, and a Config may end up in a log.
    database_url: str = field(default="", repr=False)
    batch_size: int = 500
    concurrency: int = 16
    lease_seconds: float = 300.0
    poll_seconds: float = 1.0
    connect_timeout: int = 5
    request_timeout: float = 60.0
    tenants: Mapping[str, str] = field(default_factory=dict)
    local_processes: int = field(default_factory=_cores)
    worker_name: str = field(default_factory=_worker_name)
    cron_secret: str = field(default="", repr=False)
    max_body: int = 1_048_576
    max_texts: int = 100
    max_rows: int = 1_000
    max_seconds: float = 30.0
    log_format: str = "text"
    log_level: str = "info"

    @property
    def lease(self) -> timedelta:
        """The lease as the database takes it."""
        return timedelta(seconds=self.lease_seconds)

    @classmethod
    def from_environment(
        cls,
        environment: Mapping[str, str] | None = None,
        database_url: str | None = None,
        concurrency: int = 16,
    ) -> Config:
        """Read EVERVEC_* variables; `database_url` (the command line's) wins over the variable.

        concurrency: where EVERVEC_CONCURRENCY does not say.

        Raises EvervecError with one sentence that names the variable at fault.
        """
        env = os.environ if environment is None else environment
        if database_url is not None:
            url = checked_url(database_url, "--database-url")
        else:
            url = checked_url(env.get("EVERVEC_DATABASE_URL", ""), "EVERVEC_DATABASE_URL")
        return cls(
            database_url=url,
            batch_size=int(
                _number(env, "EVERVEC_BATCH_SIZE", cls.batch_size, 1, 10_000, whole=True)
            ),
            concurrency=int(_number(env, "EVERVEC_CONCURRENCY", concurrency, 1, 100, whole=True)),
            lease_seconds=_number(env, "EVERVEC_LEASE_SECONDS", cls.lease_seconds, 1, 86_400),
            poll_seconds=_number(env, "EVERVEC_POLL_SECONDS", cls.poll_seconds, 0.01, 1),
            connect_timeout=int(
                _number(env, "EVERVEC_CONNECT_TIMEOUT", cls.connect_timeout, 2, 300, whole=True)
            ),
            request_timeout=_number(
                env, "EVERVEC_REQUEST_TIMEOUT", cls.request_timeout, 0.1, 3_600
            ),
            tenants=_tenants(env),
            local_processes=int(
                _number(env, "EVERVEC_LOCAL_PROCESSES", _cores(), 1, 1_024, whole=True)
            ),
            worker_name=env.get("EVERVEC_WORKER_NAME") or _worker_name(),
            cron_secret=env.get("EVERVEC_CRON_SECRET", "").strip(),
            max_body=int(
                _number(env, "EVERVEC_MAX_BODY", cls.max_body, 1_024, 1 << 30, whole=True)
            ),
            max_texts=int(_number(env, "EVERVEC_MAX_TEXTS", cls.max_texts, 1, 10_000, whole=True)),
            max_rows=int(_number(env, "EVERVEC_MAX_ROWS", cls.max_rows, 100, 100_000, whole=True)),
            max_seconds=_number(env, "EVERVEC_MAX_SECONDS", cls.max_seconds, 0.1, 3_600),
            log_format=_choice(env, "EVERVEC_LOG_FORMAT", cls.log_format, LOG_FORMATS),
            log_level=_choice(env, "EVERVEC_LOG_LEVEL", cls.log_level, LOG_LEVELS),
        )


def checked_url(url: str, origin: str) -> str:
    """The URL as libpq takes it, or one sentence that names `origin`. Never repeats the URL.

    yoyo's `postgresql+psycopg://` is taken too, so that one variable can serve both tools.
    """
    url = url.strip()
    for scheme in ("postgresql+psycopg://", "postgres+psycopg://"):
        if url.startswith(scheme):
            url = "postgresql://" + url.removeprefix(scheme)
    try:
        conninfo_to_dict(url)
    except psycopg.Error:
        # The error would quote the string, and the string may hold a password.
        raise EvervecError(
            f"{origin} is neither a PostgreSQL URL nor a connection string",
            hint="Write postgresql://user:password@host:5432/database, or host=… dbname=… user=….",
        ) from None
    return url


def _number(
    env: Mapping[str, str],
    name: str,
    default: float,
    least: float,
    most: float,
    *,
    whole: bool = False,
) -> float:
    text = env.get(name, "").strip()
    if not text:
        return default
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not least <= value <= most or (whole and not value.is_integer()):
        kind = "a whole number" if whole else "a number"
        raise EvervecError(f"{name} must be {kind} from {least:g} to {most:g}, not {text!r}")
    return value


def _tenants(env: Mapping[str, str]) -> dict[str, str]:
    """EVERVEC_PROFILES, tenant=profile with commas between, as a mapping."""
    found: dict[str, str] = {}
    for pair in filter(str.strip, env.get("EVERVEC_PROFILES", "").split(",")):
        tenant, _, profile = (part.strip() for part in pair.rpartition("="))
        if not tenant or not _PROFILE.fullmatch(profile) or tenant in found:
            raise EvervecError(
                f"EVERVEC_PROFILES: {pair.strip()!r} does not give one more tenant its profile",
                hint="Write tenant=profile,other=profile,*=profile; each tenant once.",
            )
        found[tenant] = profile
    return found


def _choice(env: Mapping[str, str], name: str, default: str, choices: tuple[str, ...]) -> str:
    text = env.get(name, "").strip().lower()
    if not text:
        return default
    if text not in choices:
        raise EvervecError(f"{name} must be one of {', '.join(choices)}, not {text!r}")
    return text
