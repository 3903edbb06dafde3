"""Figures for Prometheus, read from the database when it asks: so they are of all processes."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prometheus_client import Metric

    from evervec.db import Database
    from evervec.records import Cost, QueueHealth

_QUEUE: Final = ("pending", "processing", "retrying", "dead", "backfill")
_STAGES: Final = ("claim", "embed", "complete")
# Column of the view cost → what became of these rows.
_RESULTS: Final = {
    "texts": "generated",
    "cached": "cached",
    "unchanged": "unchanged",
    "failed": "failed",
}


def exposition(db: Database) -> bytes:
    """All figures in Prometheus' text format. Raises EvervecError."""
    registry = CollectorRegistry()
    registry.register(_Figures(db.queue_health(), db.cost(datetime.now(UTC).date())))
    return generate_latest(registry)


class _Figures:
    """health: what waits now, by source; spent: what today (UTC) cost, by source and model."""

    def __init__(self, health: list[QueueHealth], spent: list[Cost]) -> None:
        self._health = health
        self._spent = spent

    def collect(self) -> Iterator[Metric]:
        """As the client asks for them."""
        yield from self._waiting()
        yield from self._done()

    def _waiting(self) -> Iterator[Metric]:
        jobs = GaugeMetricFamily("evervec_jobs", "Jobs, by state", labels=["source", "state"])
        stages = GaugeMetricFamily(
            "evervec_row_seconds",
            "Seconds a row, by stage, the mean of five minutes",
            labels=["source", "stage"],
        )
        oldest = _gauge("evervec_oldest_seconds", "Age of the oldest change or job that waits")
        rate = _gauge("evervec_rows_a_minute", "Rows settled, the mean of five minutes")
        rows = _gauge("evervec_rows", "Rows of the table, an estimate")
        vectors = _gauge("evervec_vectors", "Vectors, an estimate")
        for of in self._health:
            for name in _QUEUE:
                jobs.add_metric([of.source, name], getattr(of, name))
            for name in _STAGES:
                stages.add_metric([of.source, name], (getattr(of, f"{name}_ms") or 0) / 1000)
            oldest.add_metric([of.source], _age(of.oldest))
            rate.add_metric([of.source], of.rows_a_minute or 0)
            rows.add_metric([of.source], of.rows or 0)
            vectors.add_metric([of.source], of.vectors or 0)
        yield from (jobs, stages, oldest, rate, rows, vectors)

    def _done(self) -> Iterator[Metric]:
        """Counters of the day; at midnight UTC they begin anew, which Prometheus' rate() knows."""
        done = CounterMetricFamily(
            "evervec_processed_rows", "Rows, by result", labels=["source", "model", "result"]
        )
        sums = {
            name: CounterMetricFamily(f"evervec_{name}", text, labels=["source", "model"])
            for name, text in (
                ("requests", "Requests to the provider"),
                ("tokens", "Tokens as the provider counts them"),
                ("cost", "Money, in the currency of the model's price"),
            )
        }
        for of in self._spent:
            for name, result in _RESULTS.items():
                done.add_metric([of.source, of.model, result], getattr(of, name))
            for name, family in sums.items():
                family.add_metric([of.source, of.model], getattr(of, name) or 0)
        yield from (done, *sums.values())


def _gauge(name: str, text: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, text, labels=["source"])


def _age(since: datetime | None) -> float:
    return 0.0 if since is None else max(0.0, (datetime.now(UTC) - since).total_seconds())
