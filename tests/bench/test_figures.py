"""What the benchmarks make of what they see."""

from __future__ import annotations

import numpy as np
import pytest

from bench.index import recall
from bench.relevance import ndcg

SIMILARITIES = np.array([[0.9, 0.5, 0.7, 0.1], [0.2, 0.8, 0.8, 0.8]], dtype=np.float32)


@pytest.mark.parametrize(
    ("found", "share"),
    [
        ([[1, 3], [2, 3]], 1.0),
        ([[3, 1], [4, 2]], 1.0),  # one as near as another
        ([[1, 2], [2, 3]], 0.75),
        ([[1], []], 0.25),
        ([[2, 4], [1]], 0.0),
    ],
)
def test_recall_counts_what_is_as_near_as_the_nearest(found: list[list[int]], share: float) -> None:
    assert recall(SIMILARITIES, found, 2) == pytest.approx(share)


@pytest.mark.parametrize(
    ("found", "relevant", "gain"),
    [
        ([1, 2, 3], {1, 2, 3}, 1.0),
        ([1, 9, 8], {1}, 1.0),  # there is no more to be found
        ([9, 1, 8], {1}, 1 / np.log2(3)),
        ([9, 8, 7, 1], {1}, 0.0),  # too late
        ([9, 8], {1}, 0.0),
        ([1, 9, 2], {1, 2, 3}, 1.5 / (1.5 + 1 / np.log2(3))),
        ([], {1}, 0.0),
    ],
)
def test_ndcg_is_the_gain_over_the_best_that_there_could_be(
    found: list[int], relevant: set[int], gain: float
) -> None:
    assert ndcg(found, frozenset(relevant), 3) == pytest.approx(gain)
