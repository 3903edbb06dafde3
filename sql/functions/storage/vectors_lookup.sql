-- vectors_lookup: canonical keys and the query that fetches their vectors, for callers who may not read evervec's tables.
--
-- Locks:  none.
-- Raises: VE101 unknown source · VE202 bad row_key
create or replace function evervec.vectors_lookup(p_source text, p_row_keys jsonb[], out row_keys jsonb[], out query text)
language plpgsql stable security definer
set search_path from current
as $$
declare
    v_source evervec.source := evervec.source_named(p_source);
    v_models jsonb := (select jsonb_object_agg(m.model_id, m.name) from evervec.model m);
begin
    row_keys := array(select evervec.check_row_key(v_source, k.row_key)
                        from unnest(p_row_keys) with ordinality as k (row_key, ordinality) order by k.ordinality);
    query := format(
        $sql$
        select k.row_key, e.%1$I::vector, %2$s, %3$s, e.%4$I
          from unnest($1) with ordinality as k (row_key, ordinality)
          join %5$s e on %6$s
         where e.%1$I is not null
         order by k.ordinality
        $sql$,
        v_source.vector_column,
        case v_source.storage when 'column' then format('e.%I::text', v_source.model_column)
                              else format('%L::jsonb ->> e.model_id::text', v_models) end,
        case v_source.storage when 'manual' then 'e.metadata' else '''{}''::jsonb' end,
        v_source.time_column, evervec.qualified_name(v_source.target), evervec.key_match(v_source, 'e', true));
end
$$;

comment on function evervec.vectors_lookup(text, jsonb[]) is
$$Internal. Canonical row_keys, and the text of the query over ($1 row_keys) that fetches vector, model, metadata and time. Raises VE101, VE202.$$;

revoke execute on function evervec.vectors_lookup(text, jsonb[]) from public;
