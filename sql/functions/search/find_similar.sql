-- find_similar: the rows of a source nearest to a query vector, for any source by its name.
--
-- Runs as the caller, so that the privileges and policies on the embedding table hold. ef_search is lifted to the number of rows
-- wanted and put back; the threshold is applied outside the nearest-n step, where it cannot keep the index from being used.
--
-- Locks:  ACCESS SHARE on the embedding table.
-- Raises: VE101 unknown source · VE201 bad query vector · VE204 bad limit or threshold
create or replace function evervec.find_similar(
    p_source         text,
    p_query          vector,
    p_limit          integer default 10,
    p_min_similarity real default null,
    p_exclude        jsonb[] default '{}'
)
returns table (row_key jsonb, similarity real, distance real)
language plpgsql stable
set search_path from current
as $$
declare
    v_search record;
    v_fetch  integer;
    v_former text;
begin
    select * into v_search from evervec.search_of(p_source);
    perform evervec.query_limit(p_query, v_search.dimensions, p_limit);
    if p_min_similarity = 'NaN' then
        raise exception using
            errcode = 'VE204', message = 'a minimum similarity of NaN makes no sense',
            detail  = 'p_min_similarity is compared with the similarity of every row.',
            hint    = 'Give a number, or NULL for no threshold.';
    end if;

    v_fetch := p_limit + coalesce(cardinality(p_exclude), 0);
    v_former := coalesce(current_setting('hnsw.ef_search', true), '40');
    perform set_config('hnsw.ef_search', least(greatest(v_fetch, v_former::integer), 1000)::text, true);
    return query execute v_search.query using p_query, p_limit, v_fetch, p_min_similarity, p_exclude;
    perform set_config('hnsw.ef_search', v_former, true);
end
$$;

comment on function evervec.find_similar(text, vector, integer, real, jsonb[]) is
$$Rows of a source nearest to p_query, nearest first; ties in the order of their keys. p_query: a vector of the model's dimensions. p_limit: default 10. p_min_similarity: leave out what is less similar. p_exclude: row_keys to leave out. similarity: 1 − distance (cosine), the inner product, or 1 / (1 + distance) (l2, l1). Runs with the caller's privileges. Raises VE101, VE201, VE204.$$;

revoke execute on function evervec.find_similar(text, vector, integer, real, jsonb[]) from public;
