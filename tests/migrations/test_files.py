"""tools/verify: what must hold of the files, and that a violation is found."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest

from tests.support.cluster import Database
from tests.support.project import ROOT, Project, function
from tools import lint
from tools.drift import drift
from tools.statements import split

A = "functions/x/a.sql"


@pytest.fixture
def project(tmp_path: Path) -> Project:
    project = Project.create(tmp_path)
    project.write(A, function("a"))
    project.frozen("first")
    assert project.faults() == []
    return project


def test_our_own_files_are_sound() -> None:
    assert lint.faults(ROOT) == []


def test_replaying_sql_changes_nothing(database: Database) -> None:
    assert drift(database.url, ROOT / "sql") == []


def test_drift_is_found(database: Database, conn: psycopg.Connection) -> None:
    conn.execute("comment on view evervec.status is 'edited by hand'")
    assert any("edited by hand" in line for line in drift(database.url, ROOT / "sql"))


def test_a_file_that_was_not_frozen_is_found(project: Project) -> None:
    project.write(A, function("a", body="select 2"))
    assert any(f"sql/{A} is not what the migrations have" in f for f in project.faults())


def test_a_region_edited_by_hand_is_found(project: Project) -> None:
    path = project.newest().with_suffix(".rollback.sql")
    path.write_text(path.read_text().replace("drop function", "drop  function"))
    assert any("is not what tools/freeze writes" in f for f in project.faults())


@pytest.mark.parametrize("ending", [".sql", ".rollback.sql"])
def test_a_released_file_that_changed_is_found(project: Project, ending: str) -> None:
    project.run_freeze("--release")
    assert project.faults() == []
    path = project.newest().with_suffix(ending)
    path.write_text("-- a remark\n" + path.read_text())
    assert any("was released and has changed" in fault for fault in project.faults())


def test_a_released_file_that_vanished_is_found(project: Project) -> None:
    project.run_freeze("--release")
    project.newest().with_suffix(".rollback.sql").unlink()
    assert any("was released and is missing" in fault for fault in project.faults())


def test_a_migration_without_rollback_is_found(project: Project) -> None:
    project.newest().with_suffix(".rollback.sql").unlink()
    assert any("has no evervec_0002_first.rollback.sql" in fault for fault in project.faults())


def test_a_rollback_that_does_not_forget_is_found(project: Project) -> None:
    path = project.newest().with_suffix(".rollback.sql")
    path.write_text(path.read_text().replace("delete from evervec.schema_version", "-- delete"))
    path.write_text(path.read_text().replace("where migration_id", "where id"))
    assert any("is not forgotten by its rollback" in fault for fault in project.faults())


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("-- depends: evervec_0001_start", "-- depends:", "the chain is linear"),
        ("-- depends: evervec_0001_start", "-- depends: evervec_0000_x", "the chain is linear"),
        ("values ('evervec_0002_first'", "values ('evervec_0002_other'", "records itself as"),
        ("select 1", "select 2", "checksum"),
    ],
)
def test_a_migration_edited_wrongly_is_found(
    project: Project, old: str, new: str, sentence: str
) -> None:
    path = project.newest()
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    assert any(sentence in fault for fault in project.faults())


def test_a_gap_in_the_numbers_is_found(project: Project) -> None:
    for path in project.migrations.glob("evervec_0002_*"):
        path.rename(path.with_name(path.name.replace("0002", "0003")))
    assert any("should have the number 0002" in fault for fault in project.faults())


@pytest.mark.parametrize(
    ("statement", "torn"),
    [
        ("create function evervec.b() returns int language sql as$$select 1; select 2$$;", True),
        ("create function evervec.b() returns int language sql as $$select 1; select 2$$;", False),
    ],
)
def test_a_statement_that_yoyo_would_tear_is_found(
    project: Project, statement: str, torn: bool
) -> None:
    path = project.migrations / "evervec_0001_start.sql"
    path.write_text(path.read_text().replace("create schema", f"{statement}\ncreate schema", 1))
    assert any("would be torn by yoyo" in fault for fault in project.faults()) == torn


@pytest.mark.parametrize(
    ("text", "statements"),
    [
        ("select 1; select 2;", ["select 1;", "select 2;"]),
        ("select ';'; select 2", ["select ';';", "select 2"]),
        ("select $$;$$, $a$ $$ ; $a$;", ["select $$;$$, $a$ $$ ; $a$;"]),
        ("/* ; /* ; */ ; */ select 1; -- end;", ["/* ; /* ; */ ; */ select 1;"]),
        ("select e'\\';', \";\"; select 2;", ["select e'\\';', \";\";", "select 2;"]),
        (
            "create function f() begin atomic select case 1 when 1 then 2 end; end; x;",
            ["create function f() begin atomic select case 1 when 1 then 2 end; end;", "x;"],
        ),
    ],
)
def test_statements_are_split_as_postgresql_does(text: str, statements: list[str]) -> None:
    assert split(text) == statements
