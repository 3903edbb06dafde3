-- create_filter_functions: all functions that a filter has of its own.
--
-- filter_<source>_<filter>(its parameters) → the keys of the rows that qualify; find_similar_<source>_<filter>, typed; where the source keeps
-- words, hybrid_search_<source>_<filter>.
-- Locks:  none that matter.
-- Raises: VE210 its condition is none over a row of the source · 2BP01 as create_search
create or replace function evervec.create_filter_functions(p_source evervec.source, p_filter evervec.filter)
returns void
language plpgsql
set search_path from current
as $$
begin
    perform evervec.create_filter(p_source, p_filter);
    perform evervec.create_search(p_source, format('find_similar_%s_%s', p_source.name, p_filter.name), true, p_filter);
    if p_source.text_search is not null then
        perform evervec.create_hybrid_function(p_source, p_filter);
    end if;
end
$$;

comment on function evervec.create_filter_functions(evervec.source, evervec.filter) is
$$Internal. Creates or replaces filter_<source>_<filter>, find_similar_<source>_<filter> and, where the source keeps words, hybrid_search_<source>_<filter>. Raises VE210, 2BP01.$$;

revoke execute on function evervec.create_filter_functions(evervec.source, evervec.filter) from public;
