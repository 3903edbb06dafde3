"""What a provider of embeddings is, and how it says that something went wrong."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from evervec.errors import EvervecError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import timedelta

    from evervec.records import Model

Vectors = NDArray[np.float32]

Kind = Literal["document", "query"]

ErrorClass = Literal[
    "timeout",
    "network",
    "rate_limit",
    "server_error",
    "auth",
    "quota",
    "bad_input",
    "not_found",
    "invalid_response",
    # Not of a provider: the database refuses to store a vector.
    "database",
]

# English prose has a little over four characters a token, everything else has fewer. A tokenizer
# for each model would be exact, and heavy; a text cut a little early is better than one refused.
CHARACTERS_A_TOKEN: Final = 4


@dataclass(frozen=True, slots=True)
class Embeddings:
    """A provider's answer.

    vectors  shape (number of texts, dimensions), float32, in the order of the texts; not yet
             looked at row by row (see `unusable_rows`)
    tokens   what the provider counts (and bills); 0 when it does not say
    """

    vectors: Vectors
    tokens: int = 0


class ProviderError(EvervecError):
    """A request that brought no vectors.

    error_class  decides in the database about another attempt
    status_code  of the HTTP answer, when there was one
    retry_after  how long the provider asks us to wait
    too_long     whether it is the length that was refused (of class bad_input then)
    """

    def __init__(
        self,
        error_class: ErrorClass,
        message: str,
        *,
        status_code: int | None = None,
        retry_after: timedelta | None = None,
        too_long: bool = False,
        hint: str | None = None,
    ) -> None:
        super().__init__(message, hint=hint)
        self.error_class: ErrorClass = error_class
        self.status_code = status_code
        self.retry_after = retry_after
        self.too_long = too_long


class ProviderSetupError(ProviderError):
    """The provider cannot be called from here at all: no key, no library, no such provider.

    Of class auth, which waits without costing an attempt: the rows are not to blame.
    """

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__("auth", message, hint=hint)


class NoProfileError(ProviderSetupError):
    """A caller's own: nobody has said which profile pays for this tenant."""


class Provider(Protocol):
    """Turns texts into vectors with one model."""

    def embed(self, texts: Sequence[str], kind: Kind) -> Embeddings:
        """Vectors of `texts`, none of them empty, each of them with the model's prefix already.

        May be called by several threads at once. Raises ProviderError when there are no vectors.
        """
        ...


class Factory(Protocol):
    """Makes the provider of one model; what an entry point of `evervec.providers` names.

    model    its provider is the name of the profile; see evervec.providers.profile
    timeout  seconds that the provider has to answer one request

    Raises ProviderSetupError.
    """

    def __call__(self, model: Model, *, timeout: float) -> Provider:
        """The provider."""
        ...


def unusable_rows(vectors: Vectors) -> dict[int, str]:
    """Rows that the database would refuse or never find, with the reason."""
    finite = np.isfinite(vectors).all(axis=1)
    # A zero vector has no direction: cosine distance to it is NaN, and no index holds it.
    zero = ~vectors.any(axis=1)
    reasons = {int(i): "the vector has values that are not finite" for i in np.flatnonzero(~finite)}
    return reasons | {int(i): "the vector is zero" for i in np.flatnonzero(zero)}


def room(model: Model, kind: Kind = "document") -> int:
    """How many characters of a text the model reads, its prefix taken off."""
    prefix = model.document_prefix if kind == "document" else model.query_prefix
    return max(1, model.input_limit * CHARACTERS_A_TOKEN - len(prefix))


def estimated_tokens(text: str) -> int:
    """About how many tokens a text is: a quarter of its UTF-8 bytes, at least one."""
    return max(1, len(text.encode()) // CHARACTERS_A_TOKEN)
