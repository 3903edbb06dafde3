"""One event is one line, as text or as JSON."""

from __future__ import annotations

import io
import json

import pytest

from evervec import logs


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_an_event_with_line_breaks_in_a_field_stays_one_line(log_format: str) -> None:
    stream = io.StringIO()
    logs.configure(log_format, "info", stream)

    logs.info("batch", source="a\nb", claimed=3)

    assert stream.getvalue().count("\n") == 1


def test_json_lines_hold_time_level_event_and_fields() -> None:
    stream = io.StringIO()
    logs.configure("json", "info", stream)

    logs.warning("embed_failed", error_class="timeout", status_code=None, jobs=2)

    line = json.loads(stream.getvalue())
    assert line.pop("time").endswith("+00:00")
    assert line == {
        "level": "warning",
        "event": "embed_failed",
        "error_class": "timeout",
        "jobs": 2,
    }


def test_events_below_the_level_are_left_out() -> None:
    stream = io.StringIO()
    logs.configure("text", "warning", stream)

    logs.info("batch")

    assert stream.getvalue() == ""


def test_what_is_bound_is_in_every_event_until_it_is_not() -> None:
    stream = io.StringIO()
    logs.configure("json", "info", stream)

    unbind = logs.bind(request="a")
    logs.info("first", request="b")
    inner = logs.bind(source="film")
    logs.info("second")
    inner()
    unbind()
    logs.info("third")

    first, second, third = map(json.loads, stream.getvalue().splitlines())
    assert first["request"] == "b"
    assert (second["request"], second["source"]) == ("a", "film")
    assert not {"request", "source"} & third.keys()
