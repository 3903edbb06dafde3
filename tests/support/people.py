"""Rows about a user in every table that has one, whatever its columns are."""

from __future__ import annotations

import psycopg

from tests.support.sql_worker import rows

# A value of each type that such tables have; %(user)s is the user.
_VALUES = {
    "bigint": "7",
    "bytea": "'\\x00'",
    "double precision": "1",
    "integer": "1",
    "jsonb": "jsonb_build_object('id', 3, 'user', %(user)s::text)",
    "jsonb[]": "array[jsonb_build_object('id', 3)]",
    "pg_snapshot": "pg_current_snapshot()",
    "real": "0.5",
    "real[]": "array[0.5]",
    "smallint": "1",
    "text": "'has'",
    "text[]": "array['x']",
    "timestamp with time zone": "now()",
    "vector": "'[1,2,3,4]'",
    "xid8": "pg_current_xact_id()",
}


def user_tables(conn: psycopg.Connection) -> list[str]:
    """The tables of evervec with a user in them: partitions, but no partitioned tables."""
    found = rows(
        conn,
        """
        select c.oid::regclass::text as name
          from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attname = 'user_id'
         where c.relnamespace = 'evervec'::regnamespace and c.relkind = 'r'
         order by 1
        """,
    )
    assert len(found) >= 7
    return [row["name"] for row in found]


def keep_everywhere(conn: psycopg.Connection, user: str) -> None:
    """One row of the user in each such table that has none yet."""
    for table in user_tables(conn):
        columns = rows(
            conn,
            """
            select quote_ident(a.attname) as name, format_type(a.atttypid, null) as type
              from pg_attribute a
             where a.attrelid = %s::regclass and a.attnum > 0 and not a.attisdropped
               and a.attname <> 'user_id' and a.attidentity = ''
            """,
            table,
        )
        names = ", ".join(["user_id", *(column["name"] for column in columns)])
        values = ", ".join(["%(user)s", *(_VALUES[column["type"]] for column in columns)])
        conn.execute(
            f"insert into {table} ({names}) select {values}"
            f" where not exists (select from {table} where user_id = %(user)s)",
            {"user": user},
        )
