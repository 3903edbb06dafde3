-- create_dependents_functions: dependents<n>_<source>, which lead from logged rows of another table to our row_keys.
--
-- Locks:  none that matter.
create or replace function evervec.create_dependents_functions(p_source evervec.source)
returns void
language plpgsql
set search_path from current
as $$
begin
    perform evervec.create_row_function(
               p_source, 'dependents' || d.ordinal, 'p_changed jsonb[]', 'setof jsonb', true,
               format(E'begin return query %s; end',
                      evervec.dependents_query(p_source, d.columns, d.types, d.keys, 'p_changed')))
       from evervec.dependency d
      where d.source_id = p_source.source_id;
end
$$;

comment on function evervec.create_dependents_functions(evervec.source) is
$$Internal. Creates or replaces dependents<n>_<source> for every table that the recipe depends on.$$;

revoke execute on function evervec.create_dependents_functions(evervec.source) from public;
