# ruff: noqa: E501  (a statement of SQL reads best on one line)
"""PEERS.md 17 and 18: columns that bear names of ours, and texts of every kind."""

from __future__ import annotations

from collections.abc import Callable

import psycopg
import pytest

from tests.support.in_step import assert_in_step, drain_all
from tests.support.sql_worker import Row, add_toy_model, drain, rows, value

# Names that stand in tables of ours, in generated functions as aliases, parameters or results, or in triggers.
NAMES = [
    "embedding", "row_key", "job_id", "content_hash", "model_id", "updated_at", "created_at", "content", "state", "outcome", "ordinal",
    "ordinality", "found", "stored_hash", "p_row_keys", "p_limit", "p_after", "p_by_hash", "p_hashes", "p_model_id", "s", "e", "k", "l",
    "n", "o", "d", "u", "r", "c", "q", "new", "old", "evervec_new", "evervec_old", "changed", "decoy", "gone", "locked", "written",
    "source", "key", "key_1", "film", "tg_op", "user", "select", "Camel Case", 'quo"te', "per%cent", "dollar$1", "bra{ce}",
]  # fmt: skip
RECIPES: dict[str, Callable[[str], tuple[str, list[object]]]] = {
    "columns": lambda name: ("p_columns => %s", [[name]]),
    "template": lambda name: ("p_template => %s", ["Title: {" + name + "}"]),
    "text_sql": lambda name: ("p_text_sql => %s", [f"'Title: ' || {quoted(name)}"]),
    "where": lambda name: (
        "p_text_sql => %s, p_where => %s",
        [f"'Title: ' || film.{quoted(name)}", f"{quoted(name)} <> ''"],
    ),
}


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def label(name: str) -> str:
    """As p_columns labels a column."""
    return name[0].upper() + name[1:].replace("_", " ")


@pytest.mark.parametrize("recipe", RECIPES, ids=str)
@pytest.mark.parametrize("name", NAMES, ids=str)
def test_peer_17_a_watched_column_of_any_name(
    conn: psycopg.Connection, name: str, recipe: str
) -> None:
    if recipe == "template" and "{" in name:
        pytest.skip("a hole cannot name a column with braces; p_columns and p_text_sql can")
    add_toy_model(conn)
    conn.execute(f"create table film (id int primary key, {quoted(name)} text)")
    arguments, parameters = RECIPES[recipe](name)
    conn.execute(f"select evervec.track('film', {arguments}, p_model => 'toy')", parameters)
    column = quoted(name).replace("%", "%%")
    conn.execute(f"insert into film (id, {column}) values (1, %s), (2, %s)", ["a", "b"])
    drain(conn)
    conn.execute(f"update film set {column} = %s where id = 1; ", ["c"])
    conn.execute("set evervec.bypass = on")
    conn.execute(f"update film set {column} = %s where id = 2", ["d"])
    value(conn, "select examined from evervec.reconcile('film')")
    drain(conn)

    prefix = label(name) if recipe == "columns" else "Title"
    assert_in_step(conn, text=lambda row: f"{prefix}: {row[name]}")


@pytest.mark.parametrize("name", NAMES, ids=str)
def test_peer_17_a_key_column_of_any_name(conn: psycopg.Connection, name: str) -> None:
    add_toy_model(conn)
    column = quoted(name)
    conn.execute(f"create table film ({column} text primary key, title text)")
    conn.execute("select evervec.track('film', '{title}', p_model => 'toy')")
    conn.execute("insert into film values ('a', 'x'), ('b', 'y'), ('c', 'z')")
    drain(conn)
    percent = column.replace("%", "%%")
    conn.execute(f"update film set title = 'changed' where {percent} = %s", ["a"])
    conn.execute(f"update film set {percent} = %s where {percent} = %s", ["d", "b"])
    conn.execute(f"delete from film where {percent} = %s", ["c"])
    drain(conn)
    value(conn, "select examined from evervec.reconcile('film')")
    drain_all(conn)

    found = rows(conn, "select row_key from evervec.find_similar('film', '[1,1,1,1]')")
    assert sorted(r["row_key"][name] for r in found) == ["a", "d"]
    key = value(conn, "select target_key_columns[1] from evervec.source")
    stored = {r[key]: r["content_hash"] for r in rows(conn, "select * from film_embedding")}
    rendered = rows(conn, "select row_key, sha256(convert_to(content, 'UTF8')) as hash from evervec.render_rows('film', array(select row_key from evervec.find_similar('film', '[1,1,1,1]')))")  # fmt: skip
    assert stored == {r["row_key"][name]: r["hash"] for r in rendered}


@pytest.mark.parametrize(
    "name", ["film", "embedding", "s", "changed", "Select", "p_limit", "a.b", "per%cent"]
)
def test_peer_17_a_table_of_any_name(conn: psycopg.Connection, name: str) -> None:
    add_toy_model(conn)
    table = quoted(name)
    conn.execute(
        f'create schema "My App"; create table "My App".{table} (id int primary key, title text)'
    )
    conn.execute(
        "select evervec.track(%s::regclass, p_text_sql => %s, p_name => 'thing', p_model => 'toy')",
        [f'"My App".{table}', f"'Title: ' || {table}.title"],
    )
    conn.execute(f"insert into \"My App\".{table} values (1, 'x'), (2, 'y')")
    drain(conn)
    conn.execute(
        f'update "My App".{table} set title = \'z\' where id = 1; delete from "My App".{table} where id = 2'
    )
    drain(conn)

    assert rows(
        conn, "select id, content_hash = sha256('Title: z') as ok from \"My App\".thing_embedding"
    ) == [{"id": 1, "ok": True}]


TEXTS = {
    "holes": "{title} {{year}} {0} {} }{ %s %(x)s $1 $$ $title ${title} \\1 \\",
    "controls": "".join(map(chr, range(1, 32))) + "x\x7f\x80",
    "special tokens": "<|endoftext|> <|im_start|> [CLS] </s>",
    "long": "long text " * 10_000,
    "incompressible": "".join(chr(0x4E00 + i * 7919 % 20000) for i in range(40_000)),
    "emoji": "👩‍👩‍👧‍👦 🇫🇷 é e\u0301 \U0010ffff",
    "right to left": "\u202eשלום\u202c العربية",
    "spaces around": "  \t kept as they are \n ",
    "quotes": "it's \"quoted\" '' '; drop table film; --",
    "null": "null",
}


# Characters of a text that workers are given: four a token that the model reads, and one more.
READ = 4 * 8191 + 1


@pytest.mark.parametrize("recipe", ["columns", "template", "text_sql", "where"])
@pytest.mark.parametrize("kind", TEXTS, ids=str)
def test_peer_18_texts_of_every_kind(conn: psycopg.Connection, kind: str, recipe: str) -> None:
    add_toy_model(conn)
    conn.execute("create table film (id int primary key, title text, year int)")
    arguments, parameters = RECIPES[recipe]("title")
    conn.execute(f"select evervec.track('film', {arguments}, p_model => 'toy')", parameters)

    conn.execute("insert into film values (1, 'before', 1), (2, %s, 2)", [TEXTS[kind]])
    drain(conn)
    conn.execute("update film set title = %s where id = 1", [TEXTS[kind]])
    drained = drain(conn)

    assert drained.texts == [f"Title: {TEXTS[kind]}"[:READ]]
    assert_in_step(conn)


TEMPLATES: dict[str, Callable[[Row], str]] = {
    "{title}": lambda r: r["title"],
    "{title} ({year})": lambda r: f"{r['title'] or ''} ({'' if r['year'] is None else r['year']})",
    "{title|Untitled}, {year|when?}": lambda r: (
        f"{r['title'] or 'Untitled'}, {'when?' if r['year'] is None else r['year']}"
    ),
    "{{title}} = {title}": lambda r: f"{{title}} = {r['title'] or ''}",
    "{{{title}}}": lambda r: f"{{{r['title'] or ''}}}",
    "it's $1 \\ %s: {title|it's}": lambda r: (
        f"it's $1 \\ %s: {r['title'] or chr(105) + 't' + chr(39) + 's'}"
    ),
    "{title}\n{title}": lambda r: f"{r['title'] or ''}\n{r['title'] or ''}",
}


@pytest.mark.parametrize("pattern", TEMPLATES, ids=str)
def test_peer_18_templates(conn: psycopg.Connection, pattern: str) -> None:
    add_toy_model(conn)
    conn.execute("create table film (id int primary key, title text, year int)")
    conn.execute("select evervec.track('film', p_template => %s, p_model => 'toy')", [pattern])
    conn.execute(
        "insert into film values (1, 'A {b} $1', 1), (2, null, 2), (3, 'c', null), (4, null, null), (5, '', null)"
    )
    drain(conn)

    def text(row: Row) -> str | None:
        holes = [row["title"] or "", "" if row["year"] is None else str(row["year"])]
        named = [
            hole
            for hole, name in zip(holes, ("title", "year"), strict=True)
            if "{" + name in pattern
        ]
        return TEMPLATES[pattern](row) if any(named) else None

    assert_in_step(conn, text=text)
