-- get_embedding: the vector of one row, of any storage; no row when it has none.
--
-- Locks:  ACCESS SHARE on the embedding table.
-- Raises: VE101 unknown source · VE202 bad row_key
-- needs: functions/storage/get_embeddings.sql
create or replace function evervec.get_embedding(p_source text, p_row_key jsonb)
returns table (row_key jsonb, embedding vector, model text, metadata jsonb, updated_at timestamptz)
language sql stable
set search_path from current
as $$
    select g.row_key, g.embedding, g.model, g.metadata, g.updated_at from evervec.get_embeddings(p_source, array[p_row_key]) g
$$;

comment on function evervec.get_embedding(text, jsonb) is
$$The vector of one row, as get_embeddings gives it; no row when it has none. Raises VE101, VE202.$$;

revoke execute on function evervec.get_embedding(text, jsonb) from public;
