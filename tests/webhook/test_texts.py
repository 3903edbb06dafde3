"""How texts are packed into requests, and what becomes of those that are too long."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from evervec.records import ClaimedJob, Model
from evervec.texts import Text, distinct, requests

MODEL = Model("m", "openai", "m", 32, batch_texts=50)


def job(number: int, content: str | None = None, **fields: Any) -> ClaimedJob:
    text = content if content is not None else f"text {number}"
    values = {"attempts": 0, **fields}
    return ClaimedJob(
        number,
        "note",
        "embed",
        state="embed",
        content=text,
        content_hash=hashlib.sha256(text.encode()).digest(),
        model="m",
        **values,
    )


def sizes(jobs: list[ClaimedJob]) -> list[int]:
    return [len(request) for request in requests(MODEL, distinct(jobs))]


@pytest.mark.parametrize(
    ("last_class", "attempts", "expected"),
    [
        (None, 0, [50, 10]),
        ("server_error", 1, [5] * 12),
        ("timeout", 2, [1] * 60),
        # More requests would make it worse.
        ("rate_limit", 3, [50, 10]),
        ("render", 2, [50, 10]),
    ],
)
def test_what_met_trouble_is_sent_among_fewer_and_in_the_end_alone(
    last_class: str | None, attempts: int, expected: list[int]
) -> None:
    jobs = [job(number, attempts=attempts, last_class=last_class) for number in range(60)]

    assert sizes(jobs) == expected


def test_fresh_texts_go_before_those_that_met_trouble() -> None:
    troubled = [job(number, attempts=2, last_class="timeout") for number in range(2)]
    fresh = [job(number) for number in range(2, 5)]

    packed = list(requests(MODEL, distinct(troubled + fresh)))

    assert [text.jobs[0].job_id for text in packed[0]] == [2, 3, 4]
    assert [len(request) for request in packed] == [3, 1, 1]


def test_the_same_text_is_two_where_sources_differ_about_cutting() -> None:
    jobs = [job(1, "same"), job(2, "same"), job(3, "same", too_long="dead_letter")]

    assert [len(text.jobs) for text in distinct(jobs)] == [2, 1]


def test_a_text_is_halved_four_times_and_not_at_all_where_its_source_says_so() -> None:
    text: Text | None = Text("x" * 3200, (job(1),))
    lengths = []
    while text is not None:
        lengths.append(len(text.content))
        text = text.halved()

    assert lengths == [3200, 1600, 800, 400, 200]
    assert Text("x" * 3200, (job(1, too_long="dead_letter"),)).halved() is None


def test_a_text_that_is_short_is_not_halved_whatever_the_provider_says() -> None:
    assert Text("x" * 128, (job(1),)).halved() is None


def test_a_text_that_was_cut_says_to_what() -> None:
    cut = Text("x" * 64, (job(1),)).cut(40, 10)

    assert (cut.content, cut.note) == ("x" * 40, "cut to 10 tokens (40 characters)")
