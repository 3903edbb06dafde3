-- known_result: the result that a search had before, where the source has not changed since, and the query that reads its rows.
--
-- A change that is committed now and was not yet for the search makes the result void, whenever its transaction began: so snapshots are
-- compared, not times. Rows whose vectors went leave no trace here: the query, run as the caller, gives all rows of the result or none.
-- Locks:  none.
-- Raises: VE101 unknown source
-- needs: functions/cache/result_hash.sql
create or replace function evervec.known_result(
    p_source         text,
    p_query          vector,
    p_limit          integer,
    p_min_similarity real,
    p_exclude        jsonb[],
    p_user           name,
    out row_keys     jsonb[],
    out similarities real[],
    out distances    real[],
    out query        text
)
language plpgsql stable security definer
set search_path from current
as $$
declare
    v_source evervec.source := evervec.source_named(p_source);
    v_hash   bytea := evervec.result_hash(v_source, p_query, p_limit, p_min_similarity, p_exclude, p_user);
begin
    if v_hash is null then
        return;
    end if;
    select r.row_keys, r.similarities, r.distances into row_keys, similarities, distances
      from evervec.search_cache r
     where r.search_hash = v_hash
       and r.created_at > now() - evervec.setting_interval('search_cache_keep', '24 hours')
       and not exists (
           select from evervec.source_change c
            where c.source_id = r.source_id
              and c.xid >= pg_snapshot_xmin(r.seen)
              and (not pg_visible_in_snapshot(c.xid, r.seen) or c.xid = r.kept_by))
     limit 1;
    if row_keys is null then
        return;
    end if;
    query := format(
        $sql$
        with present as materialized (
            select k.ordinality, %s as row_key, k.similarity, k.distance
              from unnest($1, $2, $3) with ordinality as k (row_key, similarity, distance, ordinality)
              join %s e on %s
             where e.%I is not null
        )
        select p.row_key, p.similarity, p.distance
          from present p
         where (select count(*) from present) = cardinality($1)
         order by p.ordinality
        $sql$,
        evervec.key_call(v_source, 'e', true), evervec.qualified_name(v_source.target), evervec.key_match(v_source, 'e', true),
        v_source.vector_column);
end
$$;

comment on function evervec.known_result(text, vector, integer, real, jsonb[], name) is
$$Internal. Keys, similarities and distances that a search like this had before, NULL where they do not hold any more or were not kept; the text of the query over them ($1, $2, $3) that gives the rows, all or none. Raises VE101.$$;

revoke execute on function evervec.known_result(text, vector, integer, real, jsonb[], name) from public;
