-- try_write_vectors: write_vectors, which no row of a user's transaction can stop.
--
-- SKIP LOCKED passes over a row that somebody holds, but PostgreSQL still waits where an open transaction has first updated the row
-- and then deleted it. Then the rows are tried one by one, and those that are held are locked.
-- Locks:  those of write_vectors.
-- Raises: VE109 wrong number of dimensions
create or replace function evervec.try_write_vectors(
    p_source     evervec.source,
    p_row_keys   jsonb[],
    p_hashes     bytea[],
    p_embeddings vector[],
    p_notes      text[] default null
)
returns text[]
language plpgsql
set search_path from current
set lock_timeout = '50ms'
as $$
declare
    v_outcomes text[];
begin
    begin
        return evervec.write_vectors(p_source, p_row_keys, p_hashes, p_embeddings, p_notes);
    exception when lock_not_available then
        null;
    end;
    for v_ordinal in 1 .. cardinality(p_row_keys) loop
        begin
            v_outcomes := v_outcomes || evervec.write_vectors(
                p_source, p_row_keys[v_ordinal : v_ordinal], p_hashes[v_ordinal : v_ordinal], p_embeddings[v_ordinal : v_ordinal],
                p_notes[v_ordinal : v_ordinal]);
        exception when lock_not_available then
            v_outcomes := v_outcomes || 'locked'::text;
            -- The whole table may be locked: do not wait for it once a row.
            perform set_config('lock_timeout', '1ms', true);
        end;
    end loop;
    return v_outcomes;
end
$$;

comment on function evervec.try_write_vectors(evervec.source, jsonb[], bytea[], vector[], text[]) is
$$Internal. Stores vectors of one source; returns completed, superseded, locked or gone a key, in order. Raises VE109.$$;

revoke execute on function evervec.try_write_vectors(evervec.source, jsonb[], bytea[], vector[], text[]) from public;
