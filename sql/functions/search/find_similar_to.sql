-- find_similar_to: rows most like a given row, never the row itself.
--
-- Locks:  ACCESS SHARE on the embedding table.
-- Raises: VE101 unknown source · VE202 bad row_key · VE203 the row has no vector · VE204 bad limit, threshold or diversity · VE211 (a WARNING)
--         rows may be missing
create or replace function evervec.find_similar_to(
    p_source         text,
    p_row_key        jsonb,
    p_limit          integer default 10,
    p_min_similarity real default null,
    p_exclude        jsonb[] default '{}',
    p_diversity      real default null
)
returns table (row_key jsonb, similarity real, distance real)
language plpgsql stable
set search_path from current
as $$
declare
    v_lookup record;
    v_query  vector;
begin
    select * into v_lookup from evervec.vector_lookup(p_source, p_row_key);
    execute v_lookup.query into v_query using v_lookup.row_key;
    if v_query is null then
        raise exception using
            errcode = 'VE203',
            message = format('row %s of source "%s" has no vector', v_lookup.row_key, p_source),
            detail  = 'The row does not exist, has no text, is archived, waits for a worker, or is hidden from you.',
            hint    = format('See what is under way: SELECT * FROM evervec.pending(%L);', p_source);
    end if;
    return query
    select * from evervec.find_similar(p_source, v_query, p_limit, p_min_similarity, v_lookup.row_key || p_exclude, p_diversity);
end
$$;

comment on function evervec.find_similar_to(text, jsonb, integer, real, jsonb[], real) is
$$Rows most similar to one row of a source, nearest first, without the row itself. p_row_key: a JSON object of the key columns. The other parameters and the result are those of find_similar. Raises VE101, VE202, VE203, VE204; warns with VE211.$$;

revoke execute on function evervec.find_similar_to(text, jsonb, integer, real, jsonb[], real) from public;
