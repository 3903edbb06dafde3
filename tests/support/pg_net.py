"""pg_net's interface without pg_net: what it would send after a commit is written down."""

from __future__ import annotations

from dataclasses import dataclass

import psycopg

from tests.support.rings import Ring
from tests.support.sql_worker import rows

# net.http_post of pg_net 0.20, whose body goes out as jsonb's text. Everybody may use and read it.
_SCHEMA = """
create schema net;
create unlogged table net.http_request_queue (
    id bigserial, method text not null, url text not null, headers jsonb, body bytea,
    timeout_milliseconds int not null);
create function net.http_post(
    url text, body jsonb default '{}', params jsonb default '{}',
    headers jsonb default '{"Content-Type": "application/json"}',
    timeout_milliseconds int default 5000)
returns bigint language plpgsql as $$
declare
    request_id bigint;
begin
    insert into net.http_request_queue (method, url, headers, body, timeout_milliseconds)
    values ('POST', url, headers, convert_to(body::text, 'UTF8'), timeout_milliseconds)
    returning id into request_id;
    return request_id;
end $$;
grant usage on schema net to public;
grant all on all sequences in schema net to public;
grant all on all tables in schema net to public;
"""


@dataclass(frozen=True)
class Request:
    """One that would be sent."""

    url: str
    headers: dict[str, str]
    ring: Ring
    timeout_milliseconds: int


def install(superuser: psycopg.Connection) -> None:
    """Make the schema, as CREATE EXTENSION pg_net would."""
    superuser.execute(_SCHEMA.encode())


def requests(conn: psycopg.Connection) -> list[Request]:
    """All that were queued, the first one first."""
    found = rows(conn, "select * from net.http_request_queue order by id")
    return [
        Request(
            row["url"],
            row["headers"],
            Ring(
                int(row["headers"]["X-Evervec-Timestamp"]),
                row["headers"]["X-Evervec-Nonce"],
                row["body"],
                row["headers"]["X-Evervec-Signature"],
            ),
            row["timeout_milliseconds"],
        )
        for row in found
    ]
