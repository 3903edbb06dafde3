-- pg_net: its function that sends a request after commit, if pg_net can be used here.
--
-- Locks:  none.
-- needs: functions/core/trusted_function.sql
create or replace function evervec.pg_net()
returns regproc
language sql stable
set search_path from current
as $$
    select evervec.trusted_function('http_post', 'text', 'jsonb', 'jsonb', 'jsonb', 'int4')
$$;

comment on function evervec.pg_net() is
$$Internal. net.http_post of pg_net, or NULL.$$;

revoke execute on function evervec.pg_net() from public;
