-- pgsql_http: its function that sends a request and waits for the answer, if pgsql-http can be used here.
--
-- Locks:  none.
-- needs: functions/core/trusted_function.sql
create or replace function evervec.pgsql_http()
returns regproc
language sql stable
set search_path from current
as $$
    select evervec.trusted_function('http', 'http_request')
$$;

comment on function evervec.pgsql_http() is
$$Internal. http(http_request) of pgsql-http, or NULL.$$;

revoke execute on function evervec.pgsql_http() from public;
