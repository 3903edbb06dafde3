-- duplicates_of: the query by which near_duplicates walks a source, and the key after which a slice begins.
--
-- Of each row in the slice the nearest are looked up through the index, and those behind it in key order are its pairs: so a pair is given
-- once, with the smaller key. The last row of a full slice names where it ended.
-- Locks:  none.
-- Raises: VE101 unknown source · VE202 bad row_key
create or replace function evervec.duplicates_of(p_source text, p_after jsonb, out after jsonb, out query text)
language plpgsql stable security definer
set search_path from current
as $$
declare
    v_source evervec.source := evervec.source_named(p_source);
    v_metric record := evervec.metric(v_source.distance);
begin
    after := case when p_after is not null then evervec.check_row_key(v_source, p_after) end;
    query := format(
        $sql$
        with slice as materialized (
            select %1$s, e.%2$I as "evervec vector"
              from %3$s e
             where e.%2$I is not null and %4$s
             order by %1$s
             limit $2
        )
        select %5$s, p.row_key, (%6$s)::real, p.distance::real
          from slice s
          cross join lateral (
            select %7$s as row_key, n.distance
              from (
                select %1$s, e.%2$I %8$s s."evervec vector" as distance
                  from %3$s e
                 where e.%2$I is not null
                 order by e.%2$I %8$s s."evervec vector"
                 limit $3
              ) n
             where (%9$s) > (%10$s) and n.distance <> 'NaN'
          ) p
         where (%6$s)::real >= $4
        union all
        select (array_agg(%5$s order by %10$s))[count(*)], null, null, null
          from slice s
        having count(*) = $2
        $sql$,
        evervec.key_list(v_source, 'e', true), v_source.vector_column, evervec.qualified_name(v_source.target),
        case when p_after is null then 'true'
             else format('(%s) > (%s)', evervec.key_list(v_source, 'e', true), evervec.key_decoded(v_source, '$1')) end,
        evervec.key_call(v_source, 's', true), format(v_metric.similarity, 'p.distance'), evervec.key_call(v_source, 'n', true),
        v_metric.operator, evervec.key_list(v_source, 'n', true), evervec.key_list(v_source, 's', true));
end
$$;

comment on function evervec.duplicates_of(text, jsonb) is
$$Internal. The canonical key after which to begin, and the text of the query over ($1 that key, $2 rows of the slice, $3 neighbours of each, $4 threshold). Raises VE101, VE202.$$;

revoke execute on function evervec.duplicates_of(text, jsonb) from public;
