-- search: the rows of a source nearest in meaning to some words, whose vector is known; what was found last time, while nothing has changed.
--
-- Runs as the caller, what is kept of a former search too: its rows are read again, so that privileges hold and no row is given whose
-- vector went. The snapshot is taken before the search, which so has seen no less than it.
-- Locks:  ACCESS SHARE on the embedding table.
-- Raises: VE101 unknown source · VE201 bad query vector · VE204 bad limit or threshold · VE207 the vector of the words is not known ·
--         VE211 (a WARNING) rows may be missing · VE218 no words · VE424 the webhook gives no vector
create or replace function evervec.search(
    p_source         text,
    p_text           text,
    p_limit          integer default 10,
    p_min_similarity real default null,
    p_exclude        jsonb[] default '{}'
)
returns table (row_key jsonb, similarity real, distance real)
language plpgsql
set search_path from current
as $$
declare
    v_query vector := evervec.query_of(p_source, p_text);
    v_seen  pg_snapshot;
    v_found record;
begin
    select * into v_found
      from evervec.known_result(p_source, v_query, p_limit, p_min_similarity, p_exclude, current_user);
    if v_found.row_keys is not null then
        return query execute v_found.query using v_found.row_keys, v_found.similarities, v_found.distances;
        if found or v_found.row_keys = '{}' then
            return;
        end if;
    end if;

    v_seen := pg_current_snapshot();
    select coalesce(array_agg(f.row_key order by f.ordinality), '{}') as row_keys,
           coalesce(array_agg(f.similarity order by f.ordinality), '{}') as similarities,
           coalesce(array_agg(f.distance order by f.ordinality), '{}') as distances
      into v_found
      from evervec.find_similar(p_source, v_query, p_limit, p_min_similarity, p_exclude) with ordinality as f;
    perform evervec.keep_result(p_source, v_query, p_limit, p_min_similarity, p_exclude, current_user, v_seen,
                                v_found.row_keys, v_found.similarities, v_found.distances);
    return query select f.* from unnest(v_found.row_keys, v_found.similarities, v_found.distances) as f;
end
$$;

comment on function evervec.search(text, text, integer, real, jsonb[]) is
$$Rows of a source nearest in meaning to p_text, nearest first. The vector of the words must be known (see cached_query), as it is for a day after evervec search, evervec.Search in Python or cache_query, unless the webhook may be asked for it (configure_push). p_limit, p_min_similarity, p_exclude and the result: as find_similar. What is found is kept for the same search by the same caller, for 24 hours (setting search_cache_keep) while no vector of the source is stored, except under row-level security, in read-only transactions and in those that are REPEATABLE READ or SERIALIZABLE. Runs with the caller's privileges. Raises VE101, VE201, VE204, VE207, VE218, VE424; warns with VE211 as find_similar.$$;

revoke execute on function evervec.search(text, text, integer, real, jsonb[]) from public;
