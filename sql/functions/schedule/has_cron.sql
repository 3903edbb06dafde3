-- has_cron: whether pg_cron is in this database, and the current role may use it.
--
-- A schema called cron might be anybody's, and what is called there runs with our rights: it counts as a part of the extension, or a superuser's.
-- Locks:  none.
create or replace function evervec.has_cron()
returns boolean
language sql stable
set search_path from current
as $$
    select exists (
        select
          from pg_namespace n
          join pg_roles o on o.oid = n.nspowner
         where n.nspname = 'cron' and has_schema_privilege(n.oid, 'usage')
           and (o.rolsuper or exists (
                select
                  from pg_depend d
                  join pg_extension e on d.refclassid = 'pg_extension'::regclass and d.refobjid = e.oid
                 where d.classid = 'pg_namespace'::regclass and d.objid = n.oid and d.deptype = 'e' and e.extname = 'pg_cron')))
$$;

comment on function evervec.has_cron() is
$$Internal. Whether pg_cron can be used here by the current role.$$;

revoke execute on function evervec.has_cron() from public;
