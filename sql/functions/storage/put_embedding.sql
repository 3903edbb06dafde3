-- put_embedding: stores the application's own vector for one row of a manual source, which must be there.
--
-- Locks:  the row FOR KEY SHARE, its vector; to the end of the caller's transaction.
-- Raises: VE101 unknown source · VE108 unknown model · VE109 a model of other dimensions · VE111 metadata that is no object ·
--         VE201 bad vector · VE202 bad row_key · VE205 not a manual source · VE206 no such row ·
--         VE213 row-level security applies to the caller · 55P03 the row stays locked
create or replace function evervec.put_embedding(
    p_source    text,
    p_row_key   jsonb,
    p_embedding vector,
    p_model     text default null,
    p_metadata  jsonb default '{}'
)
returns void
language plpgsql security definer
set search_path from current
as $$
begin
    if evervec.put_embeddings(p_source, array[p_row_key], array[p_embedding], p_model, array[p_metadata]) = 0 then
        raise exception using
            errcode = 'VE206',
            message = format('source "%s" has no row %s', p_source, p_row_key),
            detail  = 'A vector belongs to a row of the tracked table; this one was not stored.',
            hint    = 'Insert the row first; the vector may follow in the same transaction.';
    end if;
end
$$;

comment on function evervec.put_embedding(text, jsonb, vector, text, jsonb) is
$$Stores a vector of yours for one row of a manual source, replacing a former one. p_model: whose vector it is; default: the source's model; another one must have as many dimensions. p_metadata: a JSON object kept with it. evervec never embeds the row and removes the vector with it. Waits two seconds at most for a locked row. Raises VE101, VE108, VE109, VE111, VE201, VE202, VE205, VE206, VE213, 55P03.$$;

revoke execute on function evervec.put_embedding(text, jsonb, vector, text, jsonb) from public;
