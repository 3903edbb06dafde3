-- get_embeddings: the vectors of some rows, of any storage.
--
-- Runs as the caller, so that the privileges and policies on the vectors' table hold.
-- Locks:  ACCESS SHARE on the embedding table.
-- Raises: VE101 unknown source · VE202 bad row_key
-- needs: functions/storage/vectors_lookup.sql
create or replace function evervec.get_embeddings(p_source text, p_row_keys jsonb[])
returns table (row_key jsonb, embedding vector, model text, metadata jsonb, updated_at timestamptz)
language plpgsql stable
set search_path from current
as $$
declare
    v_lookup record;
begin
    select * into v_lookup from evervec.vectors_lookup(p_source, p_row_keys);
    return query execute v_lookup.query using v_lookup.row_keys;
end
$$;

comment on function evervec.get_embeddings(text, jsonb[]) is
$$The vectors of rows by key, in the order of p_row_keys: the model each is of, when it was written, and metadata (manual storage; otherwise {}). Rows without a vector are left out. Runs with the caller's privileges. Raises VE101, VE202.$$;

revoke execute on function evervec.get_embeddings(text, jsonb[]) from public;
