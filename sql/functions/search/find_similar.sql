-- find_similar: the rows of a source nearest to a query vector, for any source by its name.
--
-- Runs as the caller, so that the privileges and policies on the embedding table hold. All is done by the function that was generated
-- for the source; that it is there is the fastest way to know that the source is.
--
-- Locks:  ACCESS SHARE on the embedding table.
-- Raises: VE101 unknown source · VE201 bad query vector · VE204 bad limit, threshold or diversity · VE211 (a WARNING) rows may be missing
create or replace function evervec.find_similar(
    p_source         text,
    p_query          vector,
    p_limit          integer default 10,
    p_min_similarity real default null,
    p_exclude        jsonb[] default '{}',
    p_diversity      real default null
)
returns table (row_key jsonb, similarity real, distance real)
language plpgsql stable
set search_path from current
as $$
begin
    if p_source is null or to_regproc(format('evervec.%I', 'similar_' || p_source)) is null then
        perform evervec.get_source(p_source);
    end if;
    return query execute format('select * from evervec.%I($1, $2, $3, $4, $5)', 'similar_' || p_source)
    using p_query, p_limit, p_min_similarity, p_exclude, p_diversity;
end
$$;

comment on function evervec.find_similar(text, vector, integer, real, jsonb[], real) is
$$Rows of a source nearest to p_query, nearest first; ties in the order of their keys. p_query: a vector of the model's dimensions. p_limit: default 10. p_min_similarity: leave out what is less similar. p_exclude: row_keys to leave out; others take their places. p_diversity: from 0 to 1, how much rows should be unlike each other rather than like the query (default: not at all; see docs/search.md). similarity: 1 − distance (cosine), the inner product, or 1 / (1 + distance) (l2, l1). Runs with the caller's privileges. Raises VE101, VE201, VE204; warns with VE211 when evervec.exact_search is off and the index gave too few rows.$$;

revoke execute on function evervec.find_similar(text, vector, integer, real, jsonb[], real) from public;
