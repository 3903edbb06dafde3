-- index_definition: CREATE INDEX for the vectors of a source.
--
-- Locks:  none itself.
-- needs: functions/search/metric.sql
-- needs: functions/core/qualified_name.sql
create or replace function evervec.index_definition(p_source evervec.source, p_concurrently text default '')
returns text
language sql stable
set search_path from current
as $$
    select format('create index %s %I on %s using %s (%I %I.%I)',
                  p_concurrently,
                  left(c.relname, 52 - length(left(p_source.vector_column, 20))) || '_' || left(p_source.vector_column, 20) || '_idx',
                  evervec.qualified_name(p_source.target), p_source.index_method, p_source.vector_column, n.nspname, (evervec.metric(p_source.distance)).operator_class)
      from pg_class c
      cross join pg_extension x
      join pg_namespace n on n.oid = x.extnamespace
     where c.oid = p_source.target and x.extname = 'vector'
$$;

comment on function evervec.index_definition(evervec.source, text) is
$$Internal. The CREATE INDEX statement of a source; p_concurrently: '' or 'concurrently'.$$;

revoke execute on function evervec.index_definition(evervec.source, text) from public;
