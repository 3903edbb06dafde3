-- filter_functions: the names of the functions that a filter of a source has.
--
-- Locks:  none.
create or replace function evervec.filter_functions(p_source text, p_filter text)
returns text[]
language sql immutable
set search_path from current
as $$
    select array_agg(format('%s_%s_%s', f.prefix, p_source, p_filter))
      from unnest(array['find_similar', 'filter', 'hybrid_search']) as f (prefix)
$$;

comment on function evervec.filter_functions(text, text) is
$$Internal. Names of the functions in schema evervec that are generated for a filter.$$;

revoke execute on function evervec.filter_functions(text, text) from public;
