"""pgsql-http's interface without pgsql-http: requests are written down, the answer is given."""

from __future__ import annotations

import psycopg

from tests.support.sql_worker import Row, rows

# Types and functions of pgsql-http 1.7; the library's settings are placeholders here.
_SCHEMA = """
create schema web;
create domain web.http_method as text;
create type web.http_header as (field varchar, value varchar);
create type web.http_response as (
    status integer, content_type varchar, headers web.http_header[], content varchar);
create type web.http_request as (
    method web.http_method, uri varchar, headers web.http_header[], content_type varchar,
    content varchar);
create table web.sent (
    n bigserial, method text, uri text, headers jsonb, content_type text, content text,
    timeout text);
create table web.answer (status integer, content text);
insert into web.answer values (202, '{}');
create function web.urlencode(string varchar) returns text language sql as 'select $1';
create function web.http(request web.http_request) returns web.http_response
language plpgsql security definer as $$
declare
    v_answer web.answer;
begin
    select * into v_answer from web.answer;
    if v_answer.status is null then
        raise exception '%', v_answer.content;
    elsif current_setting('transaction_read_only') = 'off' then
        insert into web.sent (method, uri, headers, content_type, content, timeout)
        values (request.method, request.uri,
                (select jsonb_object_agg(h.field, h.value) from unnest(request.headers) h),
                request.content_type, request.content, current_setting('http.timeout_msec'));
    end if;
    return row(v_answer.status, 'application/json', null, v_answer.content)::web.http_response;
end $$;
grant usage on schema web to public;
"""


def install(superuser: psycopg.Connection) -> None:
    """Make the schema, as CREATE EXTENSION http SCHEMA web would."""
    superuser.execute(_SCHEMA.encode())


def answer(superuser: psycopg.Connection, status: int | None, content: str = "{}") -> None:
    """What the webhook answers from now on; None: nothing, and libcurl says why."""
    superuser.execute("update web.answer set status = %s, content = %s", [status, content])


def sent(superuser: psycopg.Connection) -> list[Row]:
    """The requests, the first one first."""
    return rows(superuser, "select * from web.sent order by n")
