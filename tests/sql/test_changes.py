# ruff: noqa: E501  (a statement of SQL reads best on one line)
"""Every way in which a row changes: the writer never fails, and after draining everything is true."""

from __future__ import annotations

import psycopg
import pytest

from tests.support.in_step import assert_in_step, reconcile, stored
from tests.support.sql_worker import drain, rows, value
from tests.support.tables import tracked

# ---- statements -----------------------------------------------------------------------------

# statement → the texts that it sends to the model; ten rows, Film 1 … Film 10, are there.
STATEMENTS = {
    "many rows inserted": (
        "insert into film select g, 'Film ' || g from generate_series(11, 13) g",
        ["Film 11", "Film 12", "Film 13"],
    ),
    "many rows updated": (
        "update film set title = title || '!' where id <= 3",
        ["Film 1!", "Film 2!", "Film 3!"],
    ),
    "many rows deleted": ("delete from film where id <= 3", []),
    "nothing inserted": ("insert into film select 1, 'x' where false", []),
    "update from another table": (
        "update film f set title = v.title from (values (1, 'One'), (2, 'Film 2')) v (id, title) where v.id = f.id",
        ["One"],
    ),
    "delete using another table": (
        "delete from film f using (values (1), (2)) v (id) where v.id = f.id",
        [],
    ),
    "on conflict, insert arm": (
        "insert into film values (11, 'New') on conflict (id) do update set title = 'Other'",
        ["New"],
    ),
    "on conflict, update arm": (
        "insert into film values (1, 'New') on conflict (id) do update set title = excluded.title",
        ["New"],
    ),
    "on conflict, both arms": (
        "insert into film values (1, 'One'), (11, 'Eleven'), (2, 'Film 2') on conflict (id) do update set title = excluded.title",
        ["Eleven", "One"],
    ),
    "on conflict do nothing": (
        "insert into film values (1, 'One'), (11, 'Eleven') on conflict do nothing",
        ["Eleven"],
    ),
    "merge, every arm": (
        """
        merge into film f using (values (1, 'One'), (2, null), (11, 'Eleven')) v (id, title) on v.id = f.id
         when matched and v.title is null then delete
         when matched then update set title = v.title
         when not matched then insert (id, title) values (v.id, v.title)
        """,
        ["Eleven", "One"],
    ),
    "writable cte": (
        "with gone as (delete from film where id = 1 returning *) insert into film select 11, title || '?' from gone",
        ["Film 1?"],
    ),
    "key changed": ("update film set id = 100 where id = 1", ["Film 1"]),
    "key and text changed": ("update film set id = 100, title = 'Moved' where id = 1", ["Moved"]),
    "every key changed": (
        "update film set id = id + 100",
        [f"Film {i}" for i in (1, 10, 2, 3, 4, 5, 6, 7, 8, 9)],
    ),
    "text becomes null": ("update film set title = null where id = 1", []),
    "text becomes empty": ("update film set title = '' where id = 1", []),
    "text becomes blank": ("update film set title = E' \\t\\n' where id = 1", []),
    "inserted without text": ("insert into film values (11, null), (12, ''), (13, 'x')", ["x"]),
    "deleted and inserted again in one transaction": (
        "delete from film where id = 1; insert into film values (1, 'Film 1')",
        ["Film 1"],
    ),
    "truncated": ("truncate film", []),
    "truncated and filled": ("truncate film; insert into film values (1, 'New')", ["New"]),
    "truncated, then an old row again": (
        "truncate film; insert into film values (1, 'Film 1')",
        ["Film 1"],
    ),
}


@pytest.mark.parametrize("change", STATEMENTS, ids=str)
def test_a_statement_is_followed(film: psycopg.Connection, change: str) -> None:
    film.execute("alter table film drop column year")
    drain(film)
    statement, texts = STATEMENTS[change]

    film.execute(statement)

    assert sorted(drain(film).texts) == [f"Title: {text}" for text in texts]
    assert_in_step(film)


def test_copy_is_followed(film: psycopg.Connection) -> None:
    drain(film)
    with film.cursor() as cursor, cursor.copy("copy film (id, title) from stdin") as copy:
        for row in ((11, "a\tb"), (12, None), (13, "c")):
            copy.write_row(row)

    assert sorted(drain(film).texts) == ["Title: a\tb", "Title: c"]
    assert_in_step(film)


def test_keys_swapped_in_one_statement(conn: psycopg.Connection) -> None:
    tracked(
        conn,
        """
        create table film (id int primary key deferrable, title text);
        insert into film values (1, 'One'), (2, 'Two'), (3, 'Three');
        """,
        "film",
    )

    conn.execute("update film set id = case id when 1 then 2 else 1 end where id in (1, 2)")
    drain(conn)
    assert_in_step(conn)

    conn.execute("update film set id = id % 3 + 1")
    drain(conn)
    assert_in_step(conn)


def test_every_statement_of_a_transaction_counts_once_a_row(film: psycopg.Connection) -> None:
    drain(film)
    with film.transaction():
        film.execute("insert into film values (11, 'a')")
        film.execute("update film set title = 'b' where id = 11")
        film.execute("update film set id = 12 where id = 11")
        film.execute("update film set title = 'c' where id = 12")
        film.execute("delete from film where id = 1")

    assert drain(film).texts == ["Title: c"]
    assert_in_step(film)


def test_a_savepoint_takes_its_changes_back(film: psycopg.Connection) -> None:
    drain(film)
    with film.transaction():
        film.execute("update film set title = 'kept' where id = 1")
        with film.transaction(force_rollback=True):
            film.execute("update film set title = 'lost' where id in (1, 2)")
            film.execute("delete from film where id = 3")
            film.execute("truncate film")

    assert drain(film).texts == ["Title: kept"]
    assert_in_step(film)


# ---- foreign keys of the application --------------------------------------------------------

STUDIO = """
    create table studio (id int primary key);
    create table film (
        studio_id int references studio on delete cascade on update cascade, no int, title text,
        primary key (studio_id, no));
    insert into studio values (1), (2);
    insert into film select s, n, format('Film %s/%s', s, n) from generate_series(1, 2) s, generate_series(1, 3) n;
"""


@pytest.mark.parametrize(
    ("statement", "sent"),
    [
        ("delete from studio where id = 1", 0),
        ("update studio set id = 10 where id = 1", 3),
        ("truncate studio cascade", 0),
        ("truncate film, studio", 0),
    ],
    ids=["delete cascade", "update cascade", "truncate cascade", "truncate together"],
)
def test_what_a_parent_does_to_its_children_is_followed(
    conn: psycopg.Connection, statement: str, sent: int
) -> None:
    tracked(conn, STUDIO, "film")

    conn.execute(statement)

    assert len(drain(conn).texts) == sent
    assert_in_step(conn, key=("studio_id", "no"))


def test_on_delete_set_null_of_a_watched_column_is_followed(conn: psycopg.Connection) -> None:
    tracked(
        conn,
        """
        create table word (title text primary key);
        create table film (id int primary key, title text references word on delete set null on update cascade);
        insert into word values ('a'), ('b');
        insert into film values (1, 'a'), (2, 'b');
        """,
        "film",
    )

    conn.execute("delete from word where title = 'a'; update word set title = 'c'")

    assert drain(conn).texts == ["Title: c"]
    assert_in_step(conn)
    assert set(stored(conn, "film_embedding")) == {(2,)}


# ---- inheritance and partitions -------------------------------------------------------------


def test_children_by_inheritance_are_tables_of_their_own(conn: psycopg.Connection) -> None:
    """A child may hold the same key as its parent: only rows of the tracked table itself count."""
    tracked(
        conn,
        """
        create table film (id int primary key, title text);
        create table short () inherits (film);
        insert into film values (1, 'Long'), (2, 'Other');
        insert into short values (1, 'Short'), (3, 'Shorter');
        """,
        "film",
    )
    assert_in_step(conn, only=True)

    conn.execute("insert into short values (4, 'x'), (2, 'Same key')")
    conn.execute("update film set title = title || '!'")  # reaches the children's rows, too
    drain(conn)
    assert_in_step(conn, only=True)

    conn.execute("delete from only film where id = 1; delete from film where id = 3")
    drain(conn)
    assert_in_step(conn, only=True)

    conn.execute("truncate short")
    drain(conn)
    assert_in_step(conn, only=True)
    assert value(conn, "select total from evervec.coverage('film')") == 1


def test_a_child_by_inheritance_is_tracked_without_its_parent(conn: psycopg.Connection) -> None:
    tracked(
        conn,
        """
        create table film (id int primary key, title text);
        create table short (primary key (id)) inherits (film);
        insert into film values (1, 'Long');
        insert into short values (1, 'Short');
        """,
        "short",
    )

    conn.execute("update film set title = title || '!'; delete from only film")

    assert drain(conn).texts == ["Title: Short!"]
    assert_in_step(conn, "short")


PARTITIONED = """
    create table film (id int, year int, title text, primary key (id, year)) partition by range (year);
    create table film_old partition of film for values from (1900) to (2000);
    create table film_new partition of film for values from (2000) to (2100) partition by list (year);
    create table film_2000 partition of film_new for values in (2000);
    create table film_rest partition of film_new default;
    insert into film select g, 1990 + g, 'Film ' || g from generate_series(1, 20) g;
"""
PART_KEY = ("id", "year")


@pytest.fixture
def parts(conn: psycopg.Connection) -> psycopg.Connection:
    return tracked(conn, PARTITIONED, "film")


@pytest.mark.parametrize(
    ("statement", "texts"),
    [
        ("insert into film values (21, 1950, 'x'), (22, 2000, 'y'), (23, 2050, 'z')", ["x", "y", "z"]),
        ("insert into film_old values (21, 1950, 'x'); insert into film_2000 values (22, 2000, 'y')", ["x", "y"]),
        ("insert into film_new values (22, 2000, 'y')", ["y"]),
        ("update film set title = 'x' where id in (1, 10)", ["x", "x"]),
        ("update film_old set title = 'x' where id = 1; update film_rest set title = 'y' where id = 11", ["x", "y"]),
        ("delete from film where id in (1, 10, 11)", []),
        ("delete from film_old where id = 1; delete from film_2000", []),
        ("update film set year = 2000 where id = 1", ["Film 1"]),
        ("update film set year = 1950, title = 'Moved' where id = 10", ["Moved"]),
        ("update film_new set year = 2001 where id = 10", ["Film 10"]),
        ("truncate film", []),
        ("truncate film_old", []),
        ("truncate film_2000", []),
        ("truncate film_new", []),
        ("insert into film values (1, 1991, 'x') on conflict (id, year) do update set title = 'y'", ["y"]),
        (
            """
            merge into film f using (values (1, 1991), (2, 1992), (99, 2000)) v (id, year) on (v.id, v.year) = (f.id, f.year)
             when matched and f.id = 1 then delete
             when matched then update set title = 'y'
             when not matched then insert values (v.id, v.year, 'z')
            """,
            ["y", "z"],
        ),
    ],
    ids=[
        "insert through the root", "insert into partitions", "insert into a partitioned partition",
        "update through the root", "update of partitions", "delete through the root", "delete from partitions",
        "a row moves", "a row moves with a new text", "a row moves below a partition",
        "truncate of the root", "truncate of a partition", "truncate of a leaf", "truncate of a partitioned partition",
        "on conflict", "merge",
    ],
)  # fmt: skip
def test_partitions_are_followed(
    parts: psycopg.Connection, statement: str, texts: list[str]
) -> None:
    parts.execute(statement)

    assert sorted(drain(parts).texts) == [f"Title: {text}" for text in texts]
    assert_in_step(parts, key=PART_KEY)


def test_copy_into_a_partition_is_followed(parts: psycopg.Connection) -> None:
    with parts.cursor() as cursor, cursor.copy("copy film_old from stdin") as copy:
        copy.write_row((50, 1950, "copied"))

    assert drain(parts).texts == ["Title: copied"]
    assert_in_step(parts, key=PART_KEY)


def test_a_partition_made_later_is_followed(parts: psycopg.Connection) -> None:
    parts.execute("create table film_far partition of film for values from (2100) to (2200)")
    parts.execute(
        "insert into film_far values (1, 2100, 'a'); insert into film values (2, 2100, 'b')"
    )
    drain(parts)
    assert_in_step(parts, key=PART_KEY)

    parts.execute("select evervec.tick()")
    parts.execute("truncate film_far")
    drain(parts)
    assert_in_step(parts, key=PART_KEY)


@pytest.mark.parametrize("concurrently", [False, True])
def test_attach_and_detach_are_found_by_one_tick(
    parts: psycopg.Connection, concurrently: bool
) -> None:
    parts.execute("create table film_far (like film including all)")
    parts.execute("insert into film_far select g, 2100, 'Far ' || g from generate_series(1, 5) g")
    parts.execute("alter table film attach partition film_far for values from (2100) to (2200)")
    parts.execute("select evervec.tick()")
    assert len(drain(parts).texts) == 5
    assert_in_step(parts, key=PART_KEY)

    parts.execute("update film_far set title = 'x' where id = 1")
    assert drain(parts).texts == ["Title: x"]

    parts.execute(
        f"alter table film detach partition film_old {'concurrently' if concurrently else ''}"
    )
    parts.execute("select evervec.tick()")
    drain(parts)
    assert_in_step(parts, key=PART_KEY)
    parts.execute("truncate film_old; drop table film_old")
    drain(parts)
    assert_in_step(parts, key=PART_KEY)


def test_a_dropped_partition_is_found_by_one_tick(parts: psycopg.Connection) -> None:
    parts.execute("drop table film_new")
    parts.execute("select evervec.tick()")

    assert drain(parts).texts == []
    assert_in_step(parts, key=PART_KEY)
    assert rows(parts, "select max(id) m from film_embedding") == [{"m": 9}]


def test_detach_and_attach_between_two_ticks_is_found(parts: psycopg.Connection) -> None:
    """The same partitions as before, but the rows changed while the partition was away."""
    parts.execute("select evervec.tick()")
    parts.execute(
        """
        alter table film_new detach partition film_2000;
        update film_2000 set title = 'changed while away';
        alter table film_new attach partition film_2000 for values in (2000);
        """
    )
    reconcile(parts, "film")
    drain(parts)
    assert_in_step(parts, key=PART_KEY)


# ---- views, triggers, generated columns -----------------------------------------------------


def test_changes_through_views_are_followed(film: psycopg.Connection) -> None:
    drain(film)
    film.execute(
        """
        create view old_film as select id, title from film where id < 100 with check option;
        create view shouting as select id, upper(title) as title from film;
        create function shout() returns trigger language plpgsql as
            $$ begin update film set title = new.title where id = old.id; return new; end $$;
        create trigger shout instead of update on shouting for each row execute function shout();
        """
    )

    film.execute(
        "insert into old_film values (11, 'New'); update old_film set title = 'x' where id = 1"
    )
    film.execute(
        "delete from old_film where id = 2; update shouting set title = 'LOUD' where id = 3"
    )

    assert sorted(drain(film).texts) == ["Title: LOUD", "Title: New", "Title: x"]
    assert_in_step(film)


def test_what_a_before_trigger_writes_counts(film: psycopg.Connection) -> None:
    """The statement names only year; the trigger changes title, which is watched."""
    film.execute(
        """
        create function add_year() returns trigger language plpgsql as
            $$ begin new.title := 'Of ' || new.year; return new; end $$;
        create trigger add_year before insert or update on film for each row execute function add_year();
        """
    )
    drain(film)

    film.execute("update film set year = 1 where id = 1; insert into film values (11, 'x', 2)")

    assert sorted(drain(film).texts) == ["Title: Of 1", "Title: Of 2"]
    assert_in_step(film)


def test_a_before_trigger_that_takes_the_change_back_costs_nothing(
    film: psycopg.Connection,
) -> None:
    film.execute(
        """
        create function keep() returns trigger language plpgsql as
            $$ begin new.title := old.title; return new; end $$;
        create trigger keep before update on film for each row execute function keep();
        """
    )
    drain(film)

    film.execute("update film set title = 'x'")

    assert value(film, "select count(*) from evervec.change_log") == 0


def test_after_triggers_that_change_other_rows_are_followed(film: psycopg.Connection) -> None:
    film.execute(
        """
        create function sequel() returns trigger language plpgsql as
            $$ begin
                if new.id < 100 then insert into film values (new.id + 100, new.title || ' II'); end if;
                return null;
            end $$;
        create trigger sequel after insert on film for each row execute function sequel();
        """
    )
    drain(film)

    film.execute("insert into film values (11, 'a'), (12, 'b')")

    assert sorted(drain(film).texts) == ["Title: a", "Title: a II", "Title: b", "Title: b II"]
    assert_in_step(film)


def test_a_generated_column_is_watched(conn: psycopg.Connection) -> None:
    tracked(
        conn,
        """
        create table film (id int primary key, name text, title text generated always as (upper(name)) stored);
        insert into film (id, name) values (1, 'a'), (2, 'b');
        """,
        "film",
    )

    conn.execute("update film set name = 'x' where id = 1; update film set name = 'B' where id = 2")

    assert drain(conn).texts == ["Title: X"]
    assert_in_step(conn)


COMPARED = {
    "json": ("{}", '{"a":1}'),
    "jsonb": ('{"a": 1.0}', '{"a": 1.00}'),
    "point": ("(1,2)", "(1,3)"),
    "text[]": ("{a}", "{a,b}"),
    "numeric": ("1.0", "1.00"),
    "float8": ("0", "-0"),
    "interval": ("1 day", "24 hours"),
    "text": ("a", "A"),
    "text collate same_letters": ("a", "A"),
    "varchar(9)": ("a", "a "),
    "character(9)": ("a", "b"),
    "integer": ("1", "2"),
    "bigint": ("1", "2"),
    "boolean": ("true", "false"),
    "uuid": ("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a12"),
    "date": ("2026-01-01", "2026-01-02"),
    "timestamptz": ("2026-01-01", "2026-01-02"),
    "bytea": ("x", "y"),
    "word": ("a", "b"),
}


@pytest.mark.parametrize("kind", COMPARED)
def test_a_watched_column_counts_when_it_prints_differently(
    conn: psycopg.Connection, kind: str
) -> None:
    """Types without equality, and values that are equal and yet print differently, included."""
    before, after = COMPARED[kind]
    if "same_letters" in kind:
        try:
            conn.execute(
                "create collation same_letters"
                " (provider = icu, locale = 'und-u-ks-level2', deterministic = false)"
            )
        except psycopg.errors.FeatureNotSupported:
            pytest.skip("this PostgreSQL is built without ICU")
    conn.execute("create domain word as text")
    tracked(conn, f"create table film (id int primary key, title {kind})", "film")
    conn.execute("insert into film values (1, %s), (2, null)", [before])
    drain(conn)

    conn.execute("update film set title = title")
    assert value(conn, "select count(*) from evervec.change_log") == 0
    base = kind.partition(" collate")[0]
    conn.execute(f"update film set title = %s::{base} where id = 1", [after])
    assert len(drain(conn).texts) == 1
    conn.execute(f"update film set title = %s::{base} where id = 2", [after])
    assert len(drain(conn).texts) == 1
    conn.execute("update film set title = null")
    assert value(conn, "select count(*) from evervec.change_log") == 2


@pytest.mark.parametrize("kind", ["text", "jsonb"])
def test_a_text_out_of_line(conn: psycopg.Connection, kind: str) -> None:
    """Kept: not noticed. Another text, of the same length, or another row's: noticed."""
    tracked(conn, f"create table film (id int primary key, title {kind}, views int)", "film")
    conn.execute(
        f"""
        alter table film alter title set storage external;
        insert into film select g, to_jsonb(repeat(g::text, 20000))::{kind}, 0
          from generate_series(1, 2) g
        """
    )
    drain(conn)

    conn.execute("update film set views = 1, title = title")
    assert value(conn, "select count(*) from evervec.change_log") == 0
    conn.execute("update film set title = (select f.title from film f where f.id = 2) where id = 1")
    assert len(drain(conn).texts) == 1
    conn.execute(f"update film set title = to_jsonb(repeat('3', 20000))::{kind}")
    assert len(drain(conn).texts) == 2
    quote = '"' if kind == "jsonb" else ""
    assert_in_step(conn, text=lambda row: f"Title: {quote}{row['title']}{quote}")
