-- duplicates_of: the query by which near_duplicates walks a source, and the key after which a slice begins.
--
-- Of each row in the slice the nearest are looked up through the index, and those behind it in key order are its pairs: so a pair is given
-- once, with the smaller key. The last row of a full slice names where it ended.
-- Locks:  none.
-- Raises: VE101 unknown source · VE202 bad row_key
-- needs: functions/search/comparison.sql
-- needs: functions/search/list_probes.sql
create or replace function evervec.duplicates_of(p_source text, p_after jsonb, out after jsonb, out query text, out pool integer, out probes integer)
language plpgsql stable security definer
set search_path from current
as $$
declare
    v_source   evervec.source := evervec.source_named(p_source);
    v_compared record := evervec.comparison(v_source, v_source.search_precision, format('e.%I', v_source.vector_column), 's."evervec vector"');
begin
    pool := v_compared.pool;
    probes := case when v_source.search_method = 'ivfflat' then coalesce(v_source.search_effort, evervec.list_probes(v_source.target)) end;
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
                select * from (
                select %1$s, %8$s as distance
                  from %3$s e
                 where e.%2$I is not null
                 order by %11$s
                 limit $3 * %12$s
                ) n
                 order by n.distance
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
        evervec.key_call(v_source, 's', true), format(v_compared.similarity, 'p.distance'), evervec.key_call(v_source, 'n', true),
        v_compared.distance, evervec.key_list(v_source, 'n', true), evervec.key_list(v_source, 's', true), v_compared.ordering, v_compared.pool);
end
$$;

comment on function evervec.duplicates_of(text, jsonb) is
$$Internal. The canonical key after which to begin, and the text of the query over ($1 that key, $2 rows of the slice, $3 neighbours of each, $4 threshold); pool: how many times more neighbours the index is asked for, probes: into how many lists of ivfflat to look. Raises VE101, VE202.$$;

revoke execute on function evervec.duplicates_of(text, jsonb) from public;
