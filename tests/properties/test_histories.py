"""Random histories: whatever happens, in the end there is the right vector for each text and no other, at no needless cost.

The worker's crashes, lost leases and rows held by users make a text be sent again; such texts are counted apart.
EVERVEC_TEST_HISTORIES sets the number of histories (default 540); EVERVEC_TEST_RANDOM=1 draws other ones each time.
"""

from __future__ import annotations

import os
import zlib
from collections import Counter
from collections.abc import Callable

import psycopg
import pytest
from hypothesis import given, seed, settings
from hypothesis import strategies as st

from tests.properties.history import History, Step, histories
from tests.properties.shapes import ISOLATIONS, KEYS, STORAGES, recipes
from tests.support.step_counts import STEP_COUNTS

RECIPES = tuple(recipes(KEYS["int"]))
EXAMPLES = int(os.environ.get("EVERVEC_TEST_HISTORIES", "540")) // (len(STORAGES) * len(KEYS))


def with_any_seed(test: Callable[..., None]) -> Callable[..., None]:
    """Leave the choice to hypothesis."""
    return test


@pytest.mark.parametrize("key", KEYS, ids=str)
@pytest.mark.parametrize("storage", STORAGES, ids=str)
def test_every_history_ends_well(
    request: pytest.FixtureRequest,
    writer: psycopg.Connection,
    worker: psycopg.Connection,
    storage: str,
    key: str,
) -> None:
    counts: Counter[str] = Counter()
    fixed = seed(zlib.crc32(f"{storage}, {key}".encode()))  # other histories for each

    @(with_any_seed if os.environ.get("EVERVEC_TEST_RANDOM") else fixed)
    @settings(settings.get_profile("histories"), max_examples=EXAMPLES)
    @given(st.sampled_from(RECIPES), st.sampled_from(ISOLATIONS), histories())
    def ends_well(recipe: str, isolation: str, kind_and_steps: tuple[str, list[Step]]) -> None:
        kind, history_steps = kind_and_steps
        counts["= histories"] += 1
        counts["= steps"] += len(history_steps)
        counts[f"= histories that are {kind}"] += 1
        counts[f"= histories with recipe {recipe}"] += 1
        counts[f"= histories under {isolation}"] += 1
        counts[f"= histories with storage {storage}"] += 1
        counts[f"= histories with key {key}"] += 1
        shape = KEYS[key]
        history = History(writer, worker, shape, recipes(shape)[recipe], storage, isolation, counts)
        try:
            history.start()
            for step in history_steps:
                history.run(step)
            history.settle()
            history.check()
        finally:
            history.end()

    try:
        ends_well()
    finally:
        request.node.user_properties.append((STEP_COUNTS, dict(counts)))
