-- result_name: the name that a column of the source has in the result of a generated search function.
--
-- Its own, unless the function has a parameter or a result of that name: a column "distance" is returned as "source_distance".
-- Locks:  none.
create or replace function evervec.result_name(p_column text, p_filter evervec.filter)
returns text
language sql immutable
set search_path from current
as $$
    select case when p_column = any (array['similarity', 'distance', 'p_query', 'p_limit', 'p_min_similarity', 'p_exclude', 'p_diversity']
                                     || p_filter.parameter_names)
                then left('source_' || p_column, 63) else p_column end
$$;

comment on function evervec.result_name(text, evervec.filter) is
$$Internal. Name of a column in the result of find_similar_<source>: its own, or source_<name> where that is taken.$$;

revoke execute on function evervec.result_name(text, evervec.filter) from public;
