"""What became of the jobs of one batch, and what they cost, source by source."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from evervec.providers import estimated_tokens

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from evervec.records import ClaimedJob
    from evervec.texts import Text


@dataclass(slots=True)
class Counts:
    """One source's part in a batch, as evervec.log_batch takes it.

    source, model  None of tasks that concern no source
    claimed        jobs; so are embedded, cached, unchanged and failed
    requests       asked of the provider, whatever became of them
    tokens         what the provider counted, or an estimate where it does not say
    """

    source: str | None
    model: str | None = None
    claimed: int = 0
    embedded: int = 0
    cached: int = 0
    unchanged: int = 0
    failed: int = 0
    requests: int = 0
    tokens: int = 0


class Ledger:
    """Counts one batch by source."""

    def __init__(self) -> None:
        self._outcomes: dict[str, Counter[str]] = defaultdict(Counter)
        self._requests: Counter[str] = Counter()
        self._tokens: Counter[str] = Counter()

    def settled(self, job: ClaimedJob, outcome: str) -> None:
        """A job has left: completed, retry, dead, or otherwise."""
        if job.state == "cached":
            # Forgotten by the cache in the meantime: nothing has failed, it is claimed again.
            outcome = {"completed": "cached", "retry": "released"}.get(outcome, outcome)
        self._outcomes[job.source][outcome] += 1

    def asked(self, texts: Sequence[Text], tokens: int) -> None:
        """A request was sent; tokens: what it cost, 0 where there was no answer.

        The tokens are divided by the estimated tokens of the texts, a text's own by its jobs. The
        request counts for the source with most of them, so that sums are true.
        """
        shares: dict[str, float] = defaultdict(float)
        for text in texts:
            for job in text.jobs:
                shares[job.source] += estimated_tokens(text.content) / len(text.jobs)
        whole, before, given = sum(shares.values()), 0.0, 0
        self._requests[max(shares, key=lambda source: shares[source])] += 1
        for source, share in shares.items():
            before += share
            upto = round(tokens * before / whole)
            self._tokens[source] += upto - given
            given = upto

    def counts(self, jobs: Iterable[ClaimedJob]) -> list[dict[str, Any]]:
        """Everything about the jobs of a claim, in the order of their sources' first."""
        found: dict[str, Counts] = {}
        for job in jobs:
            of = found.setdefault(job.source, Counts(job.source or None))
            of.model = of.model or job.model
            of.claimed += 1
            of.unchanged += job.state == "unchanged"
            of.failed += job.state == "failed"
        for source, of in found.items():
            outcomes = self._outcomes[source]
            of.embedded = outcomes["completed"]
            of.cached = outcomes["cached"]
            of.failed += outcomes["retry"] + outcomes["dead"]
            of.requests = self._requests[source]
            of.tokens = self._tokens[source]
        return [asdict(of) for of in found.values()]
