"""tools/freeze: from what changed under sql/ to a migration and its rollback."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest

from evervec import migrate, resources
from tests.support import migrating
from tests.support.cluster import Database
from tests.support.project import Project, function, view

A, B, V = "functions/x/a.sql", "functions/x/b.sql", "views/v.sql"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    project = Project.create(tmp_path)
    monkeypatch.setattr(resources, "migrations_dir", lambda: project.migrations)
    return project


def generated(text: str) -> list[str]:
    """The lines between the marks."""
    lines = text.splitlines()
    begin = next(i for i, line in enumerate(lines) if line.startswith("-- generated: begin"))
    return [line for line in lines[begin + 1 : lines.index("-- generated: end")] if line]


def test_a_new_file_is_created_and_dropped_by_its_signature(project: Project) -> None:
    text = function("a", "p_a integer, p_b text default 'x,y'")
    project.write(A, text)
    forward, rollback = project.frozen("first")
    assert f"-- file: {A}\n{text}" in forward
    assert "-- depends: evervec_0001_start" in forward
    assert generated(rollback) == [
        "drop function evervec.a(integer, text);",
        f"-- removed: {A}",
    ]
    assert project.faults() == []


def test_a_changed_body_is_replaced_and_its_former_text_restored(project: Project) -> None:
    before, after = function("a", body="select 1"), function("a", body="select 2")
    project.write(A, before)
    project.frozen("first")
    project.write(A, after)
    forward, rollback = project.frozen("second")
    assert "\n".join(generated(forward)) == f"-- file: {A}\n{squeezed(after)}"
    assert "\n".join(generated(rollback)) == f"-- file: {A}\n{squeezed(before)}"


def squeezed(text: str) -> str:
    return "\n".join(line for line in text.strip().splitlines() if line)


def test_a_vanished_file_is_dropped_and_its_text_restored(project: Project) -> None:
    text = function("a", "p_a bigint")
    project.write(A, text)
    project.frozen("first")
    project.write(A, None)
    forward, rollback = project.frozen("second")
    assert generated(forward) == ["drop function evervec.a(bigint);", f"-- removed: {A}"]
    assert f"-- file: {A}\n{text}" in rollback


@pytest.mark.parametrize(
    "after",
    [
        function("a", "p_a integer, p_b text"),  # another signature
        function("a", "p_renamed integer"),  # a parameter's name cannot be replaced
        function("a", "p_a integer", returns="bigint"),  # nor a return type
        function("other", "p_a integer"),  # nor a name
    ],
)
def test_what_cannot_be_replaced_is_dropped_first_both_ways(project: Project, after: str) -> None:
    project.write(A, function("a", "p_a integer"))
    project.frozen("first")
    project.write(A, after)
    forward, rollback = project.frozen("second")
    assert generated(forward)[0] == "drop function evervec.a(integer);"
    assert generated(rollback)[0].startswith("drop function evervec.")


def test_a_default_may_be_added_but_not_taken_away(project: Project) -> None:
    project.write(A, function("a", "p_a integer"))
    project.frozen("first")
    project.write(A, function("a", "p_a integer default 7"))
    forward, rollback = project.frozen("second")
    assert "drop function" not in forward
    assert generated(rollback)[0] == "drop function evervec.a(integer);"


def test_a_view_goes_before_the_function_that_it_uses(project: Project) -> None:
    project.write(A, function("a", "p_a integer"))
    project.write(V, view("v", "select evervec.a(1) as a"))
    project.frozen("first")
    project.write(A, function("a", "p_a bigint"))
    forward, _ = project.frozen("second")
    assert generated(forward)[:2] == ["drop view evervec.v;", "drop function evervec.a(integer);"]
    assert f"-- file: {V}" in forward


def test_needs_decides_the_order(project: Project) -> None:
    project.write(A, "-- needs: functions/x/b.sql\n" + function("a"))
    project.write(B, function("b"))
    forward, rollback = project.frozen("first")
    assert forward.index(f"-- file: {B}") < forward.index(f"-- file: {A}")
    assert generated(rollback)[:2] == ["drop function evervec.a();", "drop function evervec.b();"]


@pytest.mark.parametrize(
    ("files", "sentence"),
    [
        ({A: "select 1;"}, f"sql/{A}: no `comment on function"),
        ({A: "-- needs: views/lost.sql\n" + function("a")}, "which does not exist"),
        (
            {A: f"-- needs: {B}\n" + function("a"), B: f"-- needs: {A}\n" + function("b")},
            "need each other",
        ),
        ({"elsewhere/a.sql": function("a")}, "is in none of sql/functions/"),
    ],
)
def test_what_cannot_be_frozen_is_a_sentence_and_writes_nothing(
    project: Project, capsys: pytest.CaptureFixture[str], files: dict[str, str], sentence: str
) -> None:
    project.become(files)
    before = sorted(project.migrations.iterdir())
    assert project.run_freeze("first") == 1
    assert sentence in capsys.readouterr().err
    assert sorted(project.migrations.iterdir()) == before


def test_without_a_change_there_is_no_migration(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    project.write(A, function("a"))
    project.frozen("first")
    before = sorted(project.migrations.iterdir())
    assert project.run_freeze("second") == 0
    assert "nothing to freeze" in capsys.readouterr().out
    assert sorted(project.migrations.iterdir()) == before


def test_amending_rewrites_the_region_and_keeps_what_is_written_by_hand(project: Project) -> None:
    project.write(A, function("a"))
    project.frozen("first")
    path = project.newest()
    by_hand = "create table evervec.t (i integer);\n\n-- generated: begin"
    path.write_text(path.read_text().replace("-- generated: begin", by_hand))
    assert any("checksum" in fault for fault in project.faults())

    project.write(B, function("b"))
    project.write(A, function("a", "p_a integer"))
    assert project.run_freeze("--amend") == 0

    text = path.read_text()
    assert by_hand in text
    assert f"-- file: {B}" in text
    assert "drop function" not in text  # a() never was in an earlier migration
    assert "drop function evervec.a(integer);" in path.with_suffix(".rollback.sql").read_text()
    assert project.faults() == []


def test_a_released_migration_is_not_amended(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    project.write(A, function("a"))
    project.frozen("first")
    assert project.run_freeze("--release") == 0
    before = project.newest().read_text()
    project.write(A, function("a", body="select 2"))
    assert project.run_freeze("--amend") == 1
    assert "give a NAME" in capsys.readouterr().err
    assert project.newest().read_text() == before
    project.frozen("second")
    assert project.faults() == []


ROWS_OF_V = "-- needs: views/v.sql\n" + function(
    "b", "p_a text", returns="setof evervec.v", body="select * from evervec.v"
)
HISTORY: list[dict[str, str]] = [
    {A: function("a"), V: view("v", "select evervec.a() as a")},
    {A: function("a", body="select 2"), B: function("b"), V: view("v", "select evervec.a() as a")},
    {  # a's return type changes under the view; b goes
        A: function("a", returns="bigint"),
        V: view("v", "select evervec.a() as a, 1 as more"),
    },
    {  # the view loses a column, b comes back as something else, a's argument has a default
        A: function("a", "p_a integer default 1", returns="bigint"),
        B: ROWS_OF_V,
        V: view("v", "select 1 as more"),
    },
    {  # b returns rows of the view, and must go before it
        A: function("a", "p_a integer", returns="bigint"),
        B: ROWS_OF_V,
        V: view("v", "select 'x'::text as other"),
    },
    {},
]


def test_every_step_of_a_history_is_undone_exactly(
    project: Project, bare_database: Database
) -> None:
    url = bare_database.url
    migrate.apply(url)
    dumps = [migrating.schema(url)]
    for number, state in enumerate(HISTORY):
        project.become(state)
        project.frozen(f"step{number}")
        assert project.faults() == []
        migrate.apply(url)
        dumps.append(migrating.schema(url))
    assert len(set(dumps[:-1])) == len(HISTORY)  # every step changes something …
    assert dumps[-1] == dumps[0]  # … and the last one leaves as little as there was

    for dump in dumps[-2::-1]:
        migrate.rollback(url)
        assert migrating.schema(url) == dump


def test_the_search_path_that_functions_keep_has_pgvector_and_no_temporary_tables_first(
    project: Project, bare_database: Database
) -> None:
    project.write(A, function("a"))
    project.frozen("first")
    migrate.apply(bare_database.url)
    with psycopg.connect(bare_database.url) as conn:
        row = conn.execute("select proconfig from pg_proc where proname = 'a'").fetchone()
    assert row == (["search_path=pg_catalog, public, pg_temp"],)
