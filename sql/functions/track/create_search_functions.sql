-- create_search_functions: all functions by which a source is searched, those of its filters included.
--
-- Locks:  none that matter.
-- Raises: VE210 a filter's condition is none over a row of the source any more · 2BP01 as create_search
create or replace function evervec.create_search_functions(p_source evervec.source)
returns void
language plpgsql
set search_path from current
as $$
begin
    perform evervec.create_search_function(p_source);
    perform evervec.create_similar_functions(p_source);
    if p_source.text_search is not null then
        perform evervec.create_hybrid_function(p_source);
    end if;
    perform evervec.create_filter_functions(p_source, f) from evervec.filter f where f.source_id = p_source.source_id;
end
$$;

comment on function evervec.create_search_functions(evervec.source) is
$$Internal. Creates or replaces nearest_<source>, find_similar_<source>, similar_<source>, hybrid_search_<source> where it keeps words, and those of its filters. Raises VE210, 2BP01.$$;

revoke execute on function evervec.create_search_functions(evervec.source) from public;
