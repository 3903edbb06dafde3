-- delete_embeddings: takes away vectors that the application brought.
--
-- Locks:  the vectors; waited for two seconds at most.
-- Raises: VE101 unknown source · VE202 bad row_key · VE205 not a manual source · VE213 row-level security applies to the caller · 55P03 a vector stays locked
create or replace function evervec.delete_embeddings(p_source text, p_row_keys jsonb[])
returns bigint
language plpgsql security definer
set search_path from current
set lock_timeout = '2s'
as $$
declare
    v_source  evervec.source := evervec.manual_source(p_source);
    v_keys    jsonb[] := array(select evervec.check_row_key(v_source, k) from unnest(p_row_keys) k);
    v_removed bigint;
begin
    perform evervec.check_sees_all(v_source);
    execute format('select evervec.%I($1)', 'remove_' || v_source.name) into v_removed using v_keys;
    return v_removed;
exception when lock_not_available then
    raise exception using
        errcode = 'lock_not_available',
        message = format('a vector of source "%s" stays locked', v_source.name),
        detail  = 'Another transaction holds it, and two seconds were not enough. Nothing of this call was done.',
        hint    = 'Call again when that transaction has ended; pg_blocking_pids() tells whose it is.';
end
$$;

comment on function evervec.delete_embeddings(text, jsonb[]) is
$$Removes the vectors of some rows of a manual source; returns how many there were. Raises VE101, VE202, VE205, VE213, 55P03.$$;

revoke execute on function evervec.delete_embeddings(text, jsonb[]) from public;
