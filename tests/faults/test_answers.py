"""Every answer that an API can give, to a real worker: nothing is lost, wrong or hidden."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from tests.faults.stage import Stage, consistent
from tests.support.api import Rules
from tests.support.openai_server import Answer

ROWS = 30


def in_two_seconds() -> str:
    # HTTP dates have no fractions.
    return format_datetime(datetime.now(UTC) + timedelta(seconds=2), usegmt=True)


PASSING = {
    "408": (Answer(status=408), "timeout"),
    "429 with Retry-After in seconds": (
        Answer(status=429, headers={"Retry-After": "1"}),
        "rate_limit",
    ),
    "429 with Retry-After as a date": (Answer(status=429), "rate_limit"),
    "429 without Retry-After": (Answer(status=429), "rate_limit"),
    "500": (Answer(status=500), "server_error"),
    "502": (Answer(status=502), "server_error"),
    "503": (Answer(status=503), "server_error"),
    "404": (Answer(status=404), "not_found"),
    "hanging": (Answer(slow=30), "timeout"),
    "dripping": (Answer(drip=0.2), "timeout"),
    "cut mid-body": (Answer(cut=True), "network"),
    "HTML with 200": (Answer(html=True), "invalid_response"),
    "too few vectors": (Answer(drop=1), "invalid_response"),
    "too many vectors": (Answer(extra=1), "invalid_response"),
    "wrong dimensions": (Answer(dimensions=31), "invalid_response"),
    "NaN": (Answer(value=math.nan), "invalid_response"),
    "zeros": (Answer(value=0.0), "invalid_response"),
    "one NaN": (Answer(value=math.nan, bad_row=3), "invalid_response"),
    "one of zeros": (Answer(value=0.0, bad_row=3), "invalid_response"),
}


@pytest.mark.parametrize("name", PASSING)
def test_peer_19_and_22_trouble_that_passes_is_retried_until_all_is_well(
    stage: Stage, name: str
) -> None:
    answer, error_class = PASSING[name]
    if name.endswith("date"):
        answer = Answer(status=429, headers={"Retry-After": in_two_seconds()})
    stage.api.script(answer)
    stage.write(ROWS)
    timeout = "1" if error_class == "timeout" else "20"

    assert stage.workers.drain(EVERVEC_REQUEST_TIMEOUT=timeout) == 0

    consistent(stage, told=error_class, paid_twice=ROWS)
    # Only what came with a 200 was paid for, and only what was of no use is paid for again.
    useless = 0 if answer.status != 200 or answer.html else ROWS
    assert stage.api.paid_twice == (1 if answer.bad_row is not None else useless)


@pytest.mark.parametrize("answer", [Answer(slow=0.7), Answer(reverse=True), Answer(floats=True)])
def test_an_odd_answer_that_is_right_is_used(stage: Stage, answer: Answer) -> None:
    stage.api.script(answer)
    stage.write(ROWS)

    assert stage.workers.drain() == 0

    consistent(stage)
    assert len(stage.api.journal) == 1


@pytest.mark.parametrize("status", [400, 413, 422])
def test_peer_16_a_row_that_the_api_refuses_stands_alone(stage: Stage, status: int) -> None:
    stage.api.rules(Rules(poison="poison", poison_status=status))
    stage.write(ROWS)
    # A 413 is taken for the length at first: some of it is left in every half.
    stage.conn.execute("update note set body = repeat('poison ', 40) where id = 17")

    assert stage.workers.drain() == 0

    consistent(stage, dead=[17], told="bad_input")


@pytest.mark.parametrize("status", [500, 503, 408])
def test_peer_16_a_row_that_the_api_fails_on_takes_no_other_along(
    stage: Stage, status: int
) -> None:
    stage.api.rules(Rules(poison="poison", poison_status=status))
    stage.write(ROWS)
    stage.conn.execute("update note set body = 'a poison' where id = 17")

    assert stage.workers.drain() == 0

    told = {500: "server_error", 503: "server_error", 408: "timeout"}[status]
    consistent(stage, dead=[17], told=told)


def test_a_request_too_large_is_halved_until_it_fits(stage: Stage) -> None:
    stage.api.rules(Rules(most_texts=4))
    stage.write(ROWS)

    assert stage.workers.drain() == 0

    consistent(stage, told="bad_input")


def test_a_text_too_long_for_the_api_is_cut_with_a_note(stage: Stage) -> None:
    stage.api.rules(Rules(longest=100))
    stage.write(5)
    long = "word " * 70
    stage.conn.execute("update note set body = %s where id = 3", [long])

    assert stage.workers.drain() == 0

    consistent(stage, told="bad_input", stored_as=lambda text: text[:87] if text == long else text)
    notes: dict[int, str | None] = dict(
        stage.conn.execute("select id, note from note_embedding").fetchall()
    )
    assert notes.pop(3) == "cut to 87 characters: the provider refused more"
    assert set(notes.values()) == {None}


@pytest.mark.parametrize("long_for", ["the model", "the API"])
def test_a_text_too_long_goes_to_the_dead_letters_where_its_source_says_so(
    stage: Stage, long_for: str
) -> None:
    stage.conn.execute("update evervec.source set too_long = 'dead_letter'")
    if long_for == "the API":
        stage.api.rules(Rules(longest=100))
    else:
        stage.conn.execute("update evervec.model set input_limit = 50")
    stage.write(5)
    stage.conn.execute("update note set body = %s where id = 3", ["word " * 60])

    assert stage.workers.drain() == 0

    consistent(stage, dead=[3], told="bad_input")
    if long_for == "the model":
        assert stage.api.paid["word " * 60] == 0


@pytest.mark.parametrize(
    ("answer", "error_class"),
    [
        (Answer(status=401), "auth"),
        (Answer(status=403), "auth"),
        (Answer(status=402), "quota"),
        (Answer(status=429, error={"code": "insufficient_quota"}), "quota"),
    ],
)
def test_a_wrong_key_or_an_empty_purse_buries_nothing(
    stage: Stage, answer: Answer, error_class: str
) -> None:
    stage.api.script(answer)
    stage.write(ROWS)

    assert stage.workers.drain() == 1

    assert stage.value("select max(attempts) from evervec.processing_queue") == 0
    assert stage.value("select count(*) from evervec.dead_letter") == 0
    alerts = {row[0] for row in stage.conn.execute("select alert from evervec.alerts").fetchall()}
    assert {"auth": "key refused", "quota": "quota used up"}[error_class] in alerts
    assert stage.lines("embed_failed", error_class=error_class, source="note", jobs=ROWS)

    stage.conn.execute("select evervec.resume_model('wire')")
    assert stage.workers.drain() == 0
    consistent(stage, told=error_class)
