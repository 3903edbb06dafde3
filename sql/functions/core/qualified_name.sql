-- qualified_name: a relation with its schema, whatever the search_path.
--
-- Locks:  none.
create or replace function evervec.qualified_name(p_relation regclass)
returns text
language sql stable
set search_path from current
as $$
    select format('%I.%I', n.nspname, c.relname)
      from pg_class c
      join pg_namespace n on n.oid = c.relnamespace
     where c.oid = p_relation
$$;

comment on function evervec.qualified_name(regclass) is
$$Internal. schema.table, quoted where needed; NULL when there is no such relation.$$;

revoke execute on function evervec.qualified_name(regclass) from public;
