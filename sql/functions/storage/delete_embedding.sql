-- delete_embedding: takes away the vector that the application brought for one row.
--
-- Locks:  the vector; waited for two seconds at most.
-- Raises: VE101 unknown source · VE202 bad row_key · VE205 not a manual source · VE213 row-level security applies to the caller · 55P03 the vector stays locked
-- needs: functions/storage/delete_embeddings.sql
create or replace function evervec.delete_embedding(p_source text, p_row_key jsonb)
returns boolean
language sql security definer
set search_path from current
as $$
    select evervec.delete_embeddings(p_source, array[p_row_key]) > 0
$$;

comment on function evervec.delete_embedding(text, jsonb) is
$$Removes the vector of one row of a manual source; false when it had none. Raises VE101, VE202, VE205, VE213, 55P03.$$;

revoke execute on function evervec.delete_embedding(text, jsonb) from public;
