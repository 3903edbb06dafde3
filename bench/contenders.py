"""Who is compared: the same table bare, with evervec, with pgai, with Supabase's pattern."""

from __future__ import annotations

from dataclasses import dataclass

import psycopg
from psycopg import sql

from bench import pgai
from bench.server import DIMENSIONS, MODEL, Server, scalar, script
from bench.staging import vector_type


@dataclass(frozen=True)
class Contender:
    """A table doc in a schema of the contender's own, and what its triggers write to."""

    name: str
    schema: str
    log: sql.Composable | None = None  # where changes are put down
    vectors: sql.Composable | None = None  # the table with the vectors, where they have one

    @property
    def table(self) -> sql.Composable:
        """The table under test."""
        return sql.Identifier(self.schema, "doc")

    def logged(self, conn: psycopg.Connection) -> int:
        """Rows in its log or queue."""
        if self.log is None:
            return 0
        return int(scalar(conn, sql.SQL("select count(*) from {}").format(self.log)))


BARE = Contender("bare", "bare")
CASCADE = Contender("cascade", "cascade", vectors=sql.Identifier("cascade", "doc_embedding"))
EVERVEC = Contender(
    "evervec",
    "tracked",
    log=sql.Identifier("evervec", "change_log"),
    vectors=sql.Identifier("tracked", "doc_embedding"),
)
PGAI = Contender(
    f"pgai {pgai.VERSION}",
    "pgai",
    log=sql.Identifier("pgai", "queue"),
    vectors=sql.Identifier("pgai", "doc_embedding"),
)
SUPABASE = Contender(
    "Supabase pattern", "supabase", log=sql.Identifier("supabase", "q_embedding_jobs")
)
FLOOR = Contender("empty trigger", "floor")
APPEND = Contender("bare append", "append", log=sql.Identifier("append", "log"))
ALL = (BARE, CASCADE, EVERVEC, PGAI, SUPABASE, FLOOR, APPEND)


def install(server: Server) -> None:
    """Create the tables of all contenders and their triggers, owned by the database's owner."""
    pgai.install(server)
    with server.connect() as owner:
        for contender in ALL:
            _create_table(owner, contender)
        owner.execute(
            script("cascade.sql", schema=sql.Identifier(CASCADE.schema), vector=vector_type())
        )
        owner.execute(
            script("supabase.sql", schema=sql.Identifier(SUPABASE.schema), vector=vector_type())
        )
        owner.execute(script("floor.sql", schema=sql.Identifier(FLOOR.schema)))
        owner.execute(script("append.sql", schema=sql.Identifier(APPEND.schema)))
        _track(owner)
    with psycopg.connect(server.superuser_url) as superuser:
        superuser.execute(
            script(
                "pgai.sql",
                schema=sql.Identifier(PGAI.schema),
                schema_name=sql.Literal(PGAI.schema),
                dimensions=sql.Literal(DIMENSIONS),
            )
        )


def install_evervec(server: Server) -> None:
    """Create evervec's table only."""
    with server.connect() as owner:
        _create_table(owner, EVERVEC)
        _track(owner)


def _create_table(owner: psycopg.Connection, contender: Contender) -> None:
    owner.execute(script("table.sql", schema=sql.Identifier(contender.schema)))


def _track(owner: psycopg.Connection) -> None:
    owner.execute(
        "select evervec.track('tracked.doc', p_columns => '{title,body}', p_model => %s,"
        " p_index => 'none', p_backfill => false)",
        [MODEL],
    )
