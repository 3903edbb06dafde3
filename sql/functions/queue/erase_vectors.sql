-- erase_vectors: drops the vectors of some keys of a source.
--
-- Locks:  the vectors' rows, SKIP LOCKED.
create or replace function evervec.erase_vectors(p_source evervec.source, p_row_keys jsonb[])
returns integer[]
language plpgsql
set search_path from current
as $$
declare
    v_held integer[];
begin
    execute format('select evervec.%I($1)', 'erase_' || p_source.name) into v_held using p_row_keys;
    return v_held;
end
$$;

comment on function evervec.erase_vectors(evervec.source, jsonb[]) is
$$Internal. Drops vectors by key; returns the positions of those that another transaction holds.$$;

revoke execute on function evervec.erase_vectors(evervec.source, jsonb[]) from public;
