-- push_transport: by what the webhook is rung now.
--
-- Looked up whenever it is needed, so that an extension may come and go.
-- Locks:  none.
-- needs: functions/push/pg_net.sql
-- needs: functions/push/pgsql_http.sql
create or replace function evervec.push_transport()
returns text
language sql stable
set search_path from current
as $$
    select case when p.transport in ('auto', 'pg_net') and evervec.pg_net() is not null then 'pg_net'
                when p.transport in ('auto', 'http') and evervec.pgsql_http() is not null then 'http'
                else 'none' end
      from evervec.push p
$$;

comment on function evervec.push_transport() is
$$Internal. pg_net, http or none, of what configure_push allows; NULL: push is off.$$;

revoke execute on function evervec.push_transport() from public;
