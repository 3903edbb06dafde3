-- recall_queries: the queries by which the recall of a source's searches is measured, for callers who may not read evervec's tables.
--
-- They are the caller's to execute: nothing of evervec reads vectors with other rights than those of whoever searches.
-- The neighbours by which the noise is measured are those that a search finds: good enough for a scale.
-- Effort is what hnsw.ef_search or ivfflat.probes is set to. That of hnsw is lifted to as many rows as the index is asked for, so less makes no
-- difference; there are no more probes than lists.
-- Locks:  none.
-- Raises: VE101 unknown source
-- needs: functions/search/comparison.sql
-- needs: functions/search/list_probes.sql
create or replace function evervec.recall_queries(
    p_source         text,
    p_limit          integer,
    out sample       text,
    out noisy        text,
    out exact_search text,
    out search       text,
    out index_scans  text,
    out least_effort integer,
    out plain_effort integer,
    out most_effort  integer,
    out effort       integer
)
language plpgsql stable security definer
set search_path from current
as $$
declare
    v_source   evervec.source := evervec.source_named(p_source);
    v_vector   text := format('e.%I', v_source.vector_column);
    v_compared record := evervec.comparison(v_source, v_source.search_precision, v_vector, '$1');
    v_target   text := evervec.qualified_name(v_source.target);
    -- Of one length, where length does not count.
    v_scaled   text := case v_source.distance when 'cosine' then 'l2_normalize(%s::vector)' else '%s::vector' end;
begin
    sample := format(
        $sql$
        select array_agg(s.row_key), array_agg(s.embedding)
          from (select %s as row_key, %s::vector as embedding from %s e where %s order by random() limit $1) s
        $sql$,
        evervec.key_call(v_source, 'e', true), v_vector, v_target,
        case v_source.distance when 'cosine' then format('vector_norm(%s::vector) > 0', v_vector) else v_vector || ' is not null' end);
    noisy := format(
        $sql$
        select case when r.reach > 0 then %1$s + l2_normalize(n.noise) * array_fill((r.reach * $3)::real, array[vector_dims($1)])::vector else $1 end
          from (select max(l2_distance(%1$s, %2$s))
                  from (select s.row_key from evervec.%3$I($1, $2 + 1) s) k (row_key)
                  join %4$s e on %5$s) r (reach)
         cross join (select array_agg(random() - 0.5)::vector from generate_series(1, vector_dims($1))) n (noise)
        $sql$,
        format(v_scaled, '$1'), format(v_scaled, v_vector), 'similar_' || v_source.name, v_target, evervec.key_match(v_source, 'e', true));
    -- + 0, or an index would answer. One more than is wanted, because the row itself does not count.
    exact_search := format(
        $sql$
        select array(
            select n.distance
              from (
                select %1$s, (%2$s)::real as distance from %3$s e where %4$s is not null order by (%2$s) + 0 limit $3 + 1
              ) n
             where %5$s <> $2 and n.distance <> 'NaN'
             order by n.distance
             limit $3)
        $sql$,
        evervec.key_list(v_source, 'e', true), v_compared.distance, v_target, v_vector, evervec.key_call(v_source, 'n', true));
    search := format('select array(select n.distance from evervec.%I($1, $3 + 1) n where n.row_key <> $2)', 'similar_' || v_source.name);
    select case when bool_or(true) then format(
               'select sum(pg_stat_get_xact_numscans(x.index)) from unnest(%L::oid[]) as x (index)', array_agg(t.index)) end,
           coalesce(max(coalesce(substring(c.reloptions::text from 'lists=(\d+)')::integer, 100)) filter (where v_source.search_method = 'ivfflat'), 1000)
      into index_scans, most_effort
      from evervec.vector_indexes(v_source) x
      join pg_class c on c.oid = x.index and x.valid
      cross join lateral (select x.index::oid as index union select t.relid from pg_partition_tree(x.index) t) t;
    least_effort := case v_source.search_method when 'ivfflat' then 1 else least(p_limit::bigint * v_compared.pool, most_effort) end;
    plain_effort := least(most_effort, greatest(
        least_effort, case v_source.search_method when 'ivfflat' then evervec.list_probes(v_source.target) else 100 end));
    effort := coalesce(
        nullif(current_setting('evervec.search_effort', true), '')::integer, v_source.search_effort,
        case v_source.search_method when 'ivfflat' then greatest(current_setting('ivfflat.probes', true)::integer, evervec.list_probes(v_source.target))
                                    else greatest(current_setting('hnsw.ef_search', true)::integer, 100) end);
end
$$;

comment on function evervec.recall_queries(text, integer) is
$$Internal. Texts of queries: sample ($1 how many: arrays of row_keys and their vectors), noisy ($1 a vector, $2 how many neighbours, $3 by how many times their distance it is moved: the vector moved), exact_search and search ($1 the vector, $2 the row_key of the row itself, $3 how many rows: an array of distances), index_scans (how often this transaction has scanned the indexes; NULL: there is none); the least and the greatest effort that make a difference, that of searches where nobody has said, and that of searches now. Raises VE101.$$;

revoke execute on function evervec.recall_queries(text, integer) from public;
