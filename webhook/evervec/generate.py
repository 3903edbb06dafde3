"""Vectors for some rows now, from Python: `from evervec import Generate`; workers do the rest."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Self

from evervec import bounded
from evervec.config import Config
from evervec.db import Database
from evervec.joblog import log_queued
from evervec.providers import Providers

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import TracebackType


@dataclass(frozen=True, slots=True)
class Generated(bounded.Done):
    """What was done of the rows that were queued.

    next  a row_key (JSON text), the `after` of the next call; None: these were the last
    """

    queued: int
    next: str | None


def generate(
    db: Database,
    providers: Providers,
    config: Config,
    source: str,
    *,
    keys: Sequence[str] | None = None,
    missing: bool = True,
    scope: str | None = None,
    arguments: str = "{}",
    after: str | None = None,
    batch_size: int = 100,
    seconds: float = 30.0,
    tenant: str | None = None,
    triggered_by: str = "api",
) -> Generated:
    """Queue rows before all others and process just them, within bounds.

    keys                      these rows (JSON texts); None: those of the source, slice by slice
    missing                   of these only rows without a vector
    scope, arguments          only what this filter leaves, such as one user's; a JSON text
    after, batch_size         where the slice begins, and its most rows
    seconds                   after which the request in hand is the last
    tenant                    whose provider profile asks the model; nothing is queued without one

    Raises EvervecError, of its kind NoProfileError for a tenant without a profile.
    """
    providers.model_of(tenant, db.get_model(db.get_source(source).model))
    rows, most = keys, batch_size
    if rows is not None:
        most = len(rows)
    else:
        rows = db.row_keys(
            source,
            missing=missing,
            filter_name=scope,
            arguments=arguments,
            after=after,
            limit=batch_size,
        )
    job_ids = db.enqueue(source, rows, operation="create", triggered_by=triggered_by)
    log_queued(source, job_ids)
    done = bounded.work(
        db, providers, config, jobs=most, seconds=seconds, job_ids=job_ids, tenant=tenant
    )
    more = keys is None and len(rows) == batch_size
    return Generated(**asdict(done), queued=len(job_ids), next=rows[-1] if more else None)


class Generate:
    """Makes vectors of one database while its caller waits; may be used by several threads at once.

        with Generate("postgresql://app@db.example.org/shop") as generate:
            done = generate("film", scope="owned", arguments={"p_user": "ann"})
            print(done.processed, done.cached, done.generated, done.errors)

    database_url  libpq URL or key=value string; None: EVERVEC_DATABASE_URL, or libpq's own
                  variables. Keys and URLs of providers come from the environment, as a worker's.

    The role needs what a worker needs, and SELECT on the table. Whatever is not done in time, or
    waits for a retry, stays queued for a worker.
    """

    def __init__(self, database_url: str | None = None) -> None:
        self._config = Config.from_environment(database_url=database_url)
        self._db = Database(self._config.database_url, connect_timeout=self._config.connect_timeout)
        self._providers = Providers.configured(self._config)

    def __enter__(self) -> Self:
        self._db.open()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._db.close()

    def __call__(
        self,
        source: str,
        *,
        keys: Sequence[Mapping[str, object] | str] | None = None,
        missing: bool = True,
        scope: str | None = None,
        arguments: Mapping[str, str | int | float | bool | None] | None = None,
        after: str | None = None,
        batch_size: int = 100,
        seconds: float = 30.0,
        tenant: str | None = None,
    ) -> Generated:
        """One slice: rows without a vector, of the source or of a filter; or the rows of `keys`.

        `next` of the answer is the `after` of the next call. The rest as evervec.generate.generate.
        """
        return generate(
            self._db,
            self._providers,
            self._config,
            source,
            keys=None
            if keys is None
            else [key if isinstance(key, str) else json.dumps(dict(key)) for key in keys],
            missing=missing,
            scope=scope,
            arguments=json.dumps(dict(arguments or {})),
            after=after,
            batch_size=batch_size,
            seconds=seconds,
            tenant=tenant,
        )
