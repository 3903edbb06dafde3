-- keys_query: the query by which row_keys reads keys, and the key behind which it begins.
--
-- Locks:  none.
-- Raises: VE101 unknown source · VE111 a manual source, or arguments that the filter does not take · VE202 bad row_key · VE208 unknown filter
create or replace function evervec.keys_query(
    p_source    text,
    p_missing   boolean,
    p_filter    text,
    p_arguments jsonb,
    p_after     jsonb,
    out after   jsonb,
    out query   text
)
language plpgsql stable security definer
set search_path from current
as $$
declare
    v_source evervec.source := evervec.source_named(p_source);
    v_sql    record := evervec.fragments(v_source);
    v_keys   record;
begin
    perform evervec.check_option(format('the storage of "%s", for the queue,', v_source.name), v_source.storage, array['table', 'column']);
    after := case when p_after is not null then evervec.check_row_key(v_source, p_after) end;
    select string_agg(format('key_%s', c.ordinality), ', ' order by c.ordinality) as names,
           string_agg(format('k.key_%s', c.ordinality), ', ' order by c.ordinality) as list,
           string_agg(format('e.%I %s k.key_%s', c.target, c.operator, c.ordinality), ' and ' order by c.ordinality) as match
      into v_keys
      from unnest(v_source.target_key_columns, v_source.key_operators) with ordinality as c (target, operator, ordinality);
    query := format(
        $sql$
        select evervec.%1$I(%2$s)
          from (%3$s) as k (%4$s)
         where %5$s and %6$s
         order by %2$s
         limit $3
        $sql$,
        'key_' || v_source.name, v_keys.list,
        case when p_filter is null then format('select %s from %s s', evervec.key_list(v_source, 's'), v_sql.relation)
             else format('select f.* from evervec.%I(%s) f', format('filter_%s_%s', v_source.name, p_filter),
                         evervec.filter_arguments(p_source, p_filter, p_arguments)) end,
        v_keys.names,
        case when p_after is null then 'true'
             else format('(%s) > (%s)', v_keys.list, evervec.key_decoded(v_source, '$2')) end,
        case when p_missing then format('not exists (select from %s e where %s and (e.%I is not null or %s) and %s = %s)',
                                        v_sql.target, v_keys.match, v_source.vector_column, v_sql.archived, v_sql.stored_model, v_source.model_id)
             else 'true' end);
end
$$;

comment on function evervec.keys_query(text, boolean, text, jsonb, jsonb) is
$$Internal. The canonical key behind which to begin, and the text of the query over ($1 the filter's arguments, $2 that key, $3 limit). Raises VE101, VE111, VE202, VE208.$$;

revoke execute on function evervec.keys_query(text, boolean, text, jsonb, jsonb) from public;
