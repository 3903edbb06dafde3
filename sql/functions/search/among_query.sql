-- among_query: the query by which find_similar_among asks the function that was generated for a filter.
--
-- Locks:  none.
-- Raises: VE101 unknown source · VE111 arguments that the filter does not take · VE208 unknown filter
create or replace function evervec.among_query(p_source text, p_filter text, p_arguments jsonb)
returns text
language plpgsql stable security definer
set search_path from current
as $$
declare
    v_source evervec.source := evervec.source_named(p_source);
    v_filter evervec.filter := evervec.filter_named(v_source, p_filter);
begin
    return format(
        'select evervec.%I(%s), n.similarity, n.distance from evervec.%I(%s) n', 'key_' || p_source,
        (select string_agg(format('n.%I', evervec.result_name(k.name, v_filter)), ', ' order by k.ordinality)
           from unnest(v_source.key_columns) with ordinality as k (name, ordinality)),
        format('find_similar_%s_%s', p_source, p_filter),
        concat_ws(', ', '$2', evervec.filter_arguments(p_source, p_filter, p_arguments), '$3', '$4',
                  -- The typed function takes the values of a key of one column, as create_search has it.
                  case when cardinality(v_source.key_columns) = 1 and evervec.is_scalar(v_source.key_types[1])
                       then format('array(select (x.row_key ->> %L)::%s from unnest($5) as x (row_key))', v_source.key_columns[1], v_source.key_types[1])
                       else '$5' end,
                  '$6'));
end
$$;

comment on function evervec.among_query(text, text, jsonb) is
$$Internal. The text of the query over ($1 the filter's arguments, $2 query vector, $3 limit, $4 threshold, $5 row_keys to leave out, $6 diversity). Raises VE101, VE111, VE208.$$;

revoke execute on function evervec.among_query(text, text, jsonb) from public;
