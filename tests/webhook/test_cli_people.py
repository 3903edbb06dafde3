"""The commands about people: what they are recommended, what is learned of them and erased."""

from __future__ import annotations

import json

import psycopg
import pytest

from tests.support.sql_worker import drain, value
from tests.webhook.conftest import Program
from tests.webhook.test_cli_bad_input import one_message


@pytest.fixture
def liked(program: Program, film: psycopg.Connection) -> Program:
    """Ten embedded films, of which ada has the first."""
    drain(film)
    film.execute("select evervec.record_interaction('ada', 'film', '{\"id\": 1}', 'favorite')")
    return program


def test_what_is_recommended_is_not_what_the_user_has(liked: Program) -> None:
    found = json.loads(liked.run("recommend", "ada", "film", "--json").out)
    shown = liked.run("recommend", "ada", "film", "-n", "1").out

    assert {row["key"]["id"] for row in found} == set(range(2, 11))
    assert all(row["type"] == "personalized" for row in found)
    assert all(row["because"] == {"id": 1} for row in found)
    assert "personalized" in shown
    assert len(shown.splitlines()) == 2


def test_a_stranger_is_recommended_what_trends(liked: Program, film: psycopg.Connection) -> None:
    film.execute("select evervec.update_trends()")

    found = json.loads(liked.run("recommend", "bob", "film", "--json").out)

    assert [(row["key"], row["type"]) for row in found] == [({"id": 1}, "trending")]


def test_a_user_is_learned_anew_and_forgotten(liked: Program, film: psycopg.Connection) -> None:
    learned = json.loads(liked.run("user", "update", "ada", "film", "--json").out)
    nothing = liked.run("user", "update", "bob", "film").out
    erased = json.loads(liked.run("user", "forget", "ada", "--json").out)["erased"]
    again = liked.run("user", "forget", "ada").out

    assert learned["learned"] is True
    assert "nothing to learn" in nothing
    assert sum(erased.values()) > 0
    assert "Nothing was kept of ada." in again
    assert value(film, "select count(*) from evervec.interaction where user_id = 'ada'") == 0


def test_what_cannot_be_recommended_is_one_message(liked: Program) -> None:
    assert "VE513" in one_message(liked.run("recommend", "ada", "film", "--type", "lucky"))
    assert "VE502" in one_message(liked.run("recommend", " ", "film"))
