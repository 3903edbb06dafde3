-- create_similar_functions: find_similar_<source>, typed, and similar_<source>, by row_key, through which find_similar searches it.
--
-- Locks:  none that matter.
-- Raises: 2BP01 as create_search
create or replace function evervec.create_similar_functions(p_source evervec.source)
returns void
language plpgsql
set search_path from current
as $$
begin
    perform evervec.create_search(p_source, 'find_similar_' || p_source.name, true);
    perform evervec.create_search(p_source, 'similar_' || p_source.name, false);
end
$$;

comment on function evervec.create_similar_functions(evervec.source) is
$$Internal. Creates or replaces find_similar_<source> and similar_<source>. Raises 2BP01.$$;

revoke execute on function evervec.create_similar_functions(evervec.source) from public;
