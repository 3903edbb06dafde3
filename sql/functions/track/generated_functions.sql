-- generated_functions: the names of all functions that a source has of its own.
--
-- Locks:  none.
-- needs: functions/track/filter_functions.sql
create or replace function evervec.generated_functions(p_source text)
returns text[]
language sql stable
set search_path from current
as $$
    select array_agg(g.prefix || '_' || p_source) || coalesce(
               (select array_agg(n.name)
                  from evervec.source s
                  join evervec.filter f using (source_id)
                  cross join unnest(evervec.filter_functions(s.name, f.name)) as n (name)
                 where s.name = p_source), '{}') || array(
               select format('signal_%s_%s', s.name, g.name)
                 from evervec.source s
                 join evervec.signal g using (source_id)
                where s.name = p_source)
      from (
        select unnest(array['nearest', 'find_similar', 'similar', 'key', 'canonical', 'render', 'write', 'erase', 'hashes', 'clear', 'taste', 'taste_of', 'centre', 'slice', 'orphans', 'sample', 'priority', 'document', 'redocument', 'hybrid_search', 'put', 'remove', 'log_insert', 'log_update',
                            'log_rekey', 'log_delete', 'log_truncate', 'erase_rows', 'erase_row', 'erase_all'])
        union all
        select format(f.form, d.ordinal)
          from evervec.source s
          join evervec.dependency d using (source_id)
          cross join unnest(array['dependents%s', 'log_dep%s_insert', 'log_dep%s_update', 'log_dep%s_delete',
                                  'log_dep%s_truncate']) as f (form)
         where s.name = p_source
      ) as g (prefix)
$$;

comment on function evervec.generated_functions(text) is
$$Internal. Names of the functions in schema evervec that were generated for a source.$$;

revoke execute on function evervec.generated_functions(text) from public;
