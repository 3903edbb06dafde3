-- find_similar_among: find_similar among the rows that a filter leaves, for any source and filter by their names.
--
-- Runs as the caller, as the function that was generated for the filter, which does all of it.
--
-- Locks:  ACCESS SHARE on the embedding table, and what the filter reads.
-- Raises: VE101 unknown source · VE111 arguments that the filter does not take · VE201 bad query vector · VE204 bad limit, threshold or diversity ·
--         VE208 unknown filter · VE211 (a WARNING) rows may be missing
create or replace function evervec.find_similar_among(
    p_source         text,
    p_filter         text,
    p_arguments      jsonb,
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
    return query execute evervec.among_query(p_source, p_filter, p_arguments)
    using p_arguments, p_query, p_limit, p_min_similarity, p_exclude, p_diversity;
end
$$;

comment on function evervec.find_similar_among(text, text, jsonb, vector, integer, real, jsonb[], real) is
$$find_similar among the rows that a filter of the source (see add_filter) leaves. p_arguments: a JSON object with a member for each parameter of the filter, {} where it has none. The other parameters and the result are those of find_similar. Where source and filter are known beforehand, find_similar_<source>_<filter> is the same, typed. Runs with the caller's privileges. Raises VE101, VE111, VE201, VE204, VE208; warns with VE211.$$;

revoke execute on function evervec.find_similar_among(text, text, jsonb, vector, integer, real, jsonb[], real) from public;
