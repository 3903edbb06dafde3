"""The texts of a batch, and how they are packed into requests."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Final, TypeVar

from evervec.providers import ProviderError, estimated_tokens

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from evervec.records import ClaimedJob, Model

T = TypeVar("T")

# A service in trouble, or one text that troubles it: nobody can tell from one answer.
TROUBLE: Final = frozenset({"timeout", "network", "server_error", "invalid_response"})

# A text that met trouble is sent again among so many times fewer, and then alone: if it was to
# blame, it does not take the others down with it.
_FEWER: Final = 10

# How often a text that the provider finds too long is halved before it is given up.
_MOST_HALVES: Final = 4

# Every model reads so many characters: who calls less too long means something else.
_NEVER_TOO_LONG: Final = 128


@dataclass(frozen=True, slots=True)
class Text:
    """A text and the jobs that share it: the same text is paid for once a batch.

    note    what is kept beside the vector: that the text was cut
    halves  how often the provider found it too long
    """

    content: str
    jobs: tuple[ClaimedJob, ...]
    note: str | None = None
    halves: int = 0

    @property
    def may_be_cut(self) -> bool:
        """Whether the source takes a vector of a part for that of the whole."""
        return self.jobs[0].too_long != "dead_letter"

    @property
    def met_trouble(self) -> int:
        """How often it was sent to a service that then was in trouble."""
        return max(job.attempts if job.last_class in TROUBLE else 0 for job in self.jobs)

    def cut(self, characters: int, limit: int) -> Text:
        """Its beginning, as much as a model of this limit (tokens) reads."""
        note = f"cut to {limit:,} tokens ({characters:,} characters)"
        return replace(self, content=self.content[:characters], note=note)

    def halved(self) -> Text | None:
        """Its first half; None when it may not be cut, or not any more."""
        half = self.content[: len(self.content) // 2]
        if len(self.content) <= _NEVER_TOO_LONG or self.halves >= _MOST_HALVES:
            return None
        if not self.may_be_cut or not half.strip():
            return None
        note = f"cut to {len(half):,} characters: the provider refused more"
        return replace(self, content=half, note=note, halves=self.halves + 1)

    def refused(self, model: Model) -> ProviderError:
        """What is said of a text that is too long and may not be cut."""
        return ProviderError(
            "bad_input",
            f"the text exceeds the {model.input_limit:,} tokens that model {model.name} reads",
            too_long=True,
        )


def distinct(jobs: Iterable[ClaimedJob]) -> Iterator[Text]:
    """The texts of some jobs, each once; apart where sources differ about texts too long."""
    sharing: dict[tuple[bytes | None, str | None], list[ClaimedJob]] = {}
    for job in jobs:
        sharing.setdefault((job.content_hash, job.too_long), []).append(job)
    for same in sharing.values():
        yield Text(same[0].content or "", tuple(same))


def requests(model: Model, texts: Iterable[Text]) -> Iterator[list[Text]]:
    """Texts packed within the model's limits; what met trouble last, in ever smaller requests."""
    return packed(
        model,
        sorted(texts, key=lambda text: text.met_trouble),
        content=lambda text: text.content,
        most_together=partial(_most_together, model),
    )


def packed(
    model: Model,
    texts: Iterable[T],
    *,
    content: Callable[[T], str],
    most_together: Callable[[T], int],
) -> Iterator[list[T]]:
    """Texts in their order, as many in each list as the model takes in one request: of texts, of
    tokens, and of those that stand `most_together`, which only becomes less.
    """
    request: list[T] = []
    tokens = 0
    most = model.batch_texts
    for text in texts:
        more = min(estimated_tokens(content(text)), model.input_limit)
        together = most_together(text)
        if request and (
            len(request) >= most or together < most or tokens + more > model.batch_tokens
        ):
            yield request
            request, tokens = [], 0
        most = together
        request.append(text)
        tokens += more
    if request:
        yield request


def jobs_of(texts: Iterable[Text]) -> list[ClaimedJob]:
    """All jobs of some texts."""
    return [job for text in texts for job in text.jobs]


def _most_together(model: Model, text: Text) -> int:
    if text.met_trouble > 1:
        return 1
    return max(1, model.batch_texts // _FEWER) if text.met_trouble else model.batch_texts
