"""Random histories: in the end each text has its vector, no other is there, nothing was paid twice.

Crashes of a worker, lost leases and rows held by users make a text be sent again; such are counted
apart. EVERVEC_TEST_HISTORIES: how many histories (default 540); EVERVEC_TEST_RANDOM=1: other ones
each time; EVERVEC_TEST_SHRINK=1: the shortest that fails.
"""

from __future__ import annotations

import os
import secrets
import zlib
from collections import Counter

import psycopg
import pytest
from hypothesis import given, seed, settings
from hypothesis import strategies as st

from tests.properties.history import History, Step, histories
from tests.properties.shapes import ISOLATIONS, KEYS, STORAGES, recipes
from tests.support.step_counts import STEP_COUNTS

RECIPES = tuple(recipes(KEYS["int"]))
EXAMPLES = int(os.environ.get("EVERVEC_TEST_HISTORIES", "540")) // (len(STORAGES) * len(KEYS))


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
    # The same histories in every run, but others for each storage and key.
    fixed = zlib.crc32(f"{storage}, {key}".encode())

    @seed(secrets.randbits(32) if os.environ.get("EVERVEC_TEST_RANDOM") else fixed)
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
