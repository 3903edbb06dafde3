-- search_of: the query by which find_similar searches a source.
--
-- Locks:  none.
-- Raises: VE101 unknown source
create or replace function evervec.search_of(p_source text, out dimensions integer, out query text)
language plpgsql stable security definer
set search_path from current
as $$
declare
    v_source evervec.source := evervec.source_named(p_source);
    v_metric record := evervec.metric(v_source.distance);
begin
    select m.dimensions into dimensions from evervec.model m where m.model_id = v_source.model_id;
    query := format(
        $sql$
        with nearest as materialized (
            select %1$s as row_key, e.%5$I %2$s $1 as distance
              from %3$s e
             where e.%5$I is not null
             order by e.%5$I %2$s $1
             limit $3
        )
        select n.row_key, (%4$s)::real, n.distance::real
          from nearest n
         where n.row_key <> all ($5)
           and ($4 is null or %4$s >= $4)
         order by n.distance, n.row_key
         limit $2
        $sql$,
        evervec.key_call(v_source, 'e', true), v_metric.operator, evervec.qualified_name(v_source.target), format(v_metric.similarity, 'n.distance'), v_source.vector_column);
end
$$;

comment on function evervec.search_of(text) is
$$Internal. Dimensions of a source's model and the text of its nearest-neighbour query over ($1 query, $2 limit, $3 rows to fetch, $4 threshold, $5 excluded). Raises VE101.$$;

revoke execute on function evervec.search_of(text) from public;
