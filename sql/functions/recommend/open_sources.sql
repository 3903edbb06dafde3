-- open_sources: the sources from which row-level security hides no row.
--
-- Locks:  none.
create or replace function evervec.open_sources()
returns integer[]
language sql stable security definer
set search_path from current
as $$
    select array(
        select s.source_id
          from evervec.source s
         where not exists (select from pg_class c where c.oid in (s.relation, s.target) and c.relrowsecurity))
$$;

comment on function evervec.open_sources() is
$$Internal. Numbers of the sources whose tables have no row-level security.$$;

revoke execute on function evervec.open_sources() from public;
