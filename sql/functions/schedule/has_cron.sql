-- has_cron: whether pg_cron is in this database, and the current role may use it.
--
-- Locks:  none.
create or replace function evervec.has_cron()
returns boolean
language sql stable
set search_path from current
as $$
    select exists (select from pg_namespace n where n.nspname = 'cron' and has_schema_privilege(n.oid, 'usage'))
$$;

comment on function evervec.has_cron() is
$$Internal. Whether pg_cron can be used here by the current role.$$;

revoke execute on function evervec.has_cron() from public;
