"""Failpoints: off unless set, set by a spec that is checked, and each fires once."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from evervec import failpoints
from evervec.errors import EvervecError


@pytest.fixture(autouse=True)
def _disarmed() -> Iterator[None]:
    yield
    failpoints.arm("")


def seconds_of(name: str) -> float:
    started = time.monotonic()
    failpoints.hit(name)
    return time.monotonic() - started


def test_nothing_fires_unless_it_is_set() -> None:
    failpoints.arm("")

    for name in failpoints.PLACES:
        failpoints.hit(name)


def test_a_place_fires_at_the_passage_that_was_asked_for_and_only_then() -> None:
    failpoints.arm("after_claim:sleep=0.2@2")

    assert seconds_of("during_call") < 0.1
    assert seconds_of("after_claim") < 0.1
    assert seconds_of("after_claim") >= 0.2
    assert seconds_of("after_claim") < 0.1


@pytest.mark.parametrize(
    "spec", ["elsewhere", "after_claim:explode", "after_claim@0", "after_claim:sleep", ":kill"]
)
def test_a_bad_spec_is_one_sentence_that_names_the_variable(spec: str) -> None:
    with pytest.raises(EvervecError, match="EVERVEC_FAILPOINT") as error:
        failpoints.arm(spec)

    assert "after_claim" in (error.value.detail or "")
