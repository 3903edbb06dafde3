"""The commands that say who may do what, and who sees which vectors."""

from __future__ import annotations

import json
from collections.abc import Iterator

import psycopg
import pytest

from tests.support.roles import role
from tests.support.sql_worker import drain, rows, value
from tests.webhook.conftest import Program


@pytest.fixture
def somebody(superuser_conn: psycopg.Connection) -> Iterator[str]:
    with role(superuser_conn) as name:
        yield name


def test_rights_are_given_and_taken(
    program: Program, film: psycopg.Connection, somebody: str
) -> None:
    said = [
        program.run(*arguments, somebody, "reader").out
        for arguments in (("grant",), ("grant",), ("revoke",), ("revoke",))
    ]
    machine = json.loads(program.run("grant", somebody, "worker", "--json").out)

    assert said == [
        f"{somebody} is now reader.\n",
        f"{somebody} is still reader.\n",
        f"{somebody} is no longer reader.\n",
        f"{somebody} is not reader.\n",
    ]
    assert machine == {"role": somebody, "kind": "worker", "changed": True}
    assert rows(film, "select kind from evervec.access") == [{"kind": "worker"}]
    assert json.loads(program.run("revoke", somebody, "worker", "--json").out)["changed"] is True


@pytest.mark.parametrize("command", ["grant", "revoke"])
def test_a_role_or_kind_that_is_none(
    program: Program, film: psycopg.Connection, somebody: str, command: str
) -> None:
    nobody = program.run(command, "nobody", "reader")
    assert nobody.code == 1
    assert "VE214" in nobody.err
    assert "HINT" in nobody.err
    assert program.run(command, somebody, "king").code == 2


def test_vectors_are_protected_and_opened(program: Program, film: psycopg.Connection) -> None:
    drain(film)
    secured = "select relrowsecurity from pg_class where relname = 'film_embedding'"

    said = program.run("protect", "film").out
    assert said == "The vectors of film are protected by the policies of its table.\n"
    assert value(film, secured) is True
    opened = [program.run("unprotect", "film").out for _ in range(2)]
    assert opened == [
        "The vectors of film are not protected any more.\n",
        "The vectors of film were not protected.\n",
    ]
    assert value(film, secured) is False
    machine = [json.loads(program.run(c, "film", "--json").out) for c in ("protect", "unprotect")]
    assert machine == [{"source": "film", "changed": True}] * 2
    assert "VE101" in program.run("protect", "nowhere").err


def test_vectors_in_the_table_itself_need_no_protection(
    program: Program, film: psycopg.Connection
) -> None:
    film.execute(
        "select evervec.track('film', '{title}', p_name => 'inside', p_model => 'toy',"
        " p_storage => 'column')"
    )
    assert program.run("protect", "inside").out == (
        "The vectors of inside are in its table, whose own policies protect them.\n"
    )
