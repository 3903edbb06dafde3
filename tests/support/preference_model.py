"""What docs/people.md says of preferences, in numpy: written from the text, not from the SQL."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]  # shape (dimensions,)

TYPES = {"dismiss": -1.0, "favorite": 1.0, "purchase": 1.0, "purchase_intent": 0.7, "view": 0.2}
FREQUENCIES = {"daily": 1.0, "weekly": 0.8, "occasional": 0.5, "special": 0.3}
STEPS = 64  # an octave


@dataclass(frozen=True)
class Did:
    """An interaction; age in days. A value is a rating, and only of type rating."""

    row: int
    type: str
    value: float | None
    age: float


@dataclass(frozen=True)
class Said:
    """What a signal says of a row; age in days. None where it says nothing."""

    row: int
    rating: float | None
    frequency: str | None
    amount: float | None
    weight: float | None
    age: float | None


@dataclass(frozen=True)
class Weighting:
    """A preset."""

    own_mean: bool
    lift: float
    scale: float
    unrated: float
    half_life: float | None  # days
    curve: Literal["saturating", "linear"]
    enough: float
    no_frequency: float

    def rated(self, ratings: Sequence[float | None]) -> list[float]:
        """What each of a user's ratings counts."""
        given = [rating for rating in ratings if rating is not None]
        mean = (sum(given) + 3) / (len(given) + 1) if self.own_mean else 0.0
        return [
            self.unrated if rating is None else self.lift + (rating - mean) / self.scale
            for rating in ratings
        ]

    def counted(self, times: float) -> float:
        """What so many times count; numbers below a billionth are taken for 0."""
        if abs(times) < 1e-9:
            return 0.0
        times = max(times, 0)
        return (
            times / (times + self.enough)
            if self.curve == "saturating"
            else min(times / self.enough, 1)
        )

    def decay(self, age: float | None) -> float:
        if self.half_life is None or age is None:
            return 1.0
        return float(0.5 ** min(max(age, 0) / self.half_life, 40))


EVERVEC = Weighting(True, 0.5, 2, 0.5, 30, "saturating", 3, 1.0)
COLLECTION = Weighting(False, 0.0, 5, 0.6, None, "linear", 10, 0.5)
PERIOD = 90  # days


@dataclass(frozen=True)
class Preference:
    """What update_user_embedding is to come to."""

    direction: Vector  # of length 1
    clarity: float  # length of the sum before it was made 1; small: rounding shows
    length: float
    strength: float
    confidence: float
    sample_size: int
    weights: Mapping[int, float]


def weigh(
    done: Iterable[Did], said: Mapping[float, Sequence[Said]], rules: Weighting
) -> dict[int, float]:
    """How much each row counts. said: by the weight of the signal."""
    parts: dict[int, list[float]] = defaultdict(list)
    done = [did for did in done if did.age < PERIOD]
    for kind, weight in TYPES.items():
        times: dict[int, float] = defaultdict(float)
        for did in done:
            if did.type == kind:
                times[did.row] += rules.decay(did.age)
        for row, number in times.items():
            parts[row].append(weight * rules.counted(number))
    last: dict[int, Did] = {}
    for did in done:  # in the order of recording; of two at one time the later one holds
        if did.type == "rating" and (did.row not in last or did.age <= last[did.row].age):
            last[did.row] = did
    ratings = rules.rated([did.value for did in last.values()])
    for did, rating in zip(last.values(), ratings, strict=True):
        parts[did.row].append(rules.decay(did.age) * rating)
    for weight, rows in said.items():
        for one, rating in zip(rows, rules.rated([r.rating for r in rows]), strict=True):
            parts[one.row].append(
                weight
                * (1.0 if one.weight is None else one.weight)
                * (1.0 if one.amount is None else rules.counted(one.amount))
                * FREQUENCIES.get(one.frequency or "", rules.no_frequency)
                * rules.decay(one.age)
                * rating
            )
    return {
        row: sum(some) for row, some in parts.items() if abs(sum(some)) > 1e-9 * sum(map(abs, some))
    }


def rounded(weights: Mapping[int, float]) -> dict[int, float]:
    """In steps of 64 an octave, from 2^24 to 2^-64."""
    return {
        row: float(np.sign(w) * 2 ** (round(STEPS * np.log2(min(abs(w), 2.0**24))) / STEPS))
        for row, w in weights.items()
        if abs(w) >= 2.0**-64
    }


def centre(vectors: Mapping[int, Vector]) -> Vector:
    """The mean of the source's vectors, each of length 1."""
    unit = [v / np.linalg.norm(v) for v in vectors.values() if v.any()]
    mean: Vector = np.stack(unit).mean(axis=0)
    return mean


def prefer(weights: Mapping[int, float], vectors: Mapping[int, Vector]) -> Preference | None:
    """The preference of one taste. vectors: of the rows that have one."""
    present = {r: w for r, w in rounded(weights).items() if r in vectors and vectors[r].any()}
    if not present:
        return None
    w = np.array(list(present.values()))
    stack = np.stack([vectors[row] for row in present])
    lengths = np.linalg.norm(stack, axis=1)
    total = w @ (stack / lengths[:, None]) / np.abs(w).sum()
    agreement = min(float(np.linalg.norm(total)), 1.0)
    if agreement <= 1e-5:
        return None
    centred = total - centre(vectors) * w.sum() / np.abs(w).sum()
    if np.linalg.norm(centred) <= 1e-5:
        centred = total
    clarity = float(np.linalg.norm(centred))
    n = len(present)
    return Preference(
        centred / clarity,
        clarity,
        float(np.abs(w) @ lengths / np.abs(w).sum()),
        (5 * 0.5 + n * agreement) / (5 + n),
        (n + 5) / (n + 10),
        n,
        present,
    )
