-- near_duplicates: pairs of rows of a source that are more alike than a threshold, slice by slice.
--
-- Runs as the caller, so that the privileges and policies on the embedding table hold. One search a row, through the index.
-- Locks:  ACCESS SHARE on the embedding table.
-- Raises: VE101 unknown source · VE202 bad row_key · VE204 bad threshold or limit
-- needs: functions/search/duplicates_of.sql
create or replace function evervec.near_duplicates(
    p_source     text,
    p_threshold  real default 0.95,
    p_after      jsonb default null,
    p_limit      integer default 1000,
    p_neighbours integer default 50
)
returns table (row_key jsonb, other_key jsonb, similarity real, distance real)
language plpgsql stable
set search_path from current
as $$
declare
    v_search  record;
    v_ef      text := coalesce(current_setting('hnsw.ef_search', true), '40');
    v_iterate text := coalesce(current_setting('hnsw.iterative_scan', true), 'off');
    v_probes  text := coalesce(current_setting('ivfflat.probes', true), '1');
begin
    select * into v_search from evervec.duplicates_of(p_source, p_after);
    if p_threshold is null or p_threshold = 'NaN' or coalesce(p_limit, 0) < 1 or coalesce(p_neighbours, 0) < 1 then
        raise exception using
            errcode = 'VE204', message = 'near_duplicates needs a threshold, and limits of 1 or more',
            detail  = format('p_threshold is %s, p_limit is %s, p_neighbours is %s.', coalesce(p_threshold::text, 'NULL'),
                             coalesce(p_limit::text, 'NULL'), coalesce(p_neighbours::text, 'NULL')),
            hint    = 'For example: SELECT * FROM evervec.near_duplicates(''film'', 0.95, p_limit => 1000);';
    end if;

    -- The row itself is the nearest of its neighbours.
    perform set_config('hnsw.ef_search', least(greatest((p_neighbours::bigint + 1) * v_search.pool, v_ef::integer), 1000)::text, true);
    perform set_config('ivfflat.probes', greatest(v_search.probes, v_probes::integer)::text, true);
    perform set_config('hnsw.iterative_scan', 'strict_order', true);
    return query
    execute 'select * from (' || v_search.query || ') d (row_key, other_key, similarity, distance) '
            'order by d.other_key is null, d.row_key, d.distance, d.other_key'
    using v_search.after, p_limit, p_neighbours::bigint + 1, p_threshold;
    perform set_config('hnsw.iterative_scan', v_iterate, true);
    perform set_config('hnsw.ef_search', v_ef, true);
    perform set_config('ivfflat.probes', v_probes, true);
end
$$;

comment on function evervec.near_duplicates(text, real, jsonb, integer, integer) is
$$Pairs of rows that are at least as similar as p_threshold, each pair once, for the rows of one slice in key order. p_threshold: in terms of similarity, as find_similar gives it; default 0.95. p_after: the key behind which the slice begins; NULL: at the first row. p_limit: how many rows the slice looks at. p_neighbours: how many of the nearest rows are compared with each: of a row with more duplicates, the others are left out. Where the slice was full, a last row has other_key NULL and row_key to give as p_after next; without that row, all is done. Runs with the caller's privileges. Raises VE101, VE202, VE204.$$;

revoke execute on function evervec.near_duplicates(text, real, jsonb, integer, integer) from public;
