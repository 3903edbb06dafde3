-- write_vectors: stores vectors of one source where they are still true; vectors of rows that are gone are dropped.
--
-- Locks:  rows FOR KEY SHARE SKIP LOCKED.
-- Raises: VE109 wrong number of dimensions
create or replace function evervec.write_vectors(
    p_source     evervec.source,
    p_row_keys   jsonb[],
    p_hashes     bytea[],
    p_embeddings vector[],
    p_notes      text[] default null
)
returns text[]
language plpgsql
set search_path from current
as $$
declare
    v_dimensions integer := (select m.dimensions from evervec.model m where m.model_id = p_source.model_id);
    v_wrong      integer;
    v_outcomes   text[];
begin
    select vector_dims(u.embedding) into v_wrong
      from unnest(p_embeddings) as u (embedding)
     where vector_dims(u.embedding) is distinct from v_dimensions
     limit 1;
    if found then
        raise exception using
            errcode = 'VE109',
            message = format('a vector for source "%s" has %s dimensions, not %s', p_source.name, coalesce(v_wrong::text, 'no'), v_dimensions),
            detail  = 'Nothing of this call was stored.',
            hint    = 'Embed with the model that claim_jobs names; report the jobs with evervec.fail_jobs(…, ''invalid_response'', …).';
    end if;

    execute format('select array_agg(w.outcome order by w.ordinal) from evervec.%I($1, $2, $3, $4, $5) w', 'write_' || p_source.name)
    into v_outcomes
    using p_row_keys, p_hashes, p_embeddings, p_source.model_id, p_notes;

    if 'gone' = any (v_outcomes) then
        perform evervec.erase_vectors(p_source, array(
            select u.row_key from unnest(p_row_keys, v_outcomes) as u (row_key, outcome) where u.outcome = 'gone'));
    end if;
    return v_outcomes;
end
$$;

comment on function evervec.write_vectors(evervec.source, jsonb[], bytea[], vector[], text[]) is
$$Internal. Stores vectors of one source; returns completed, superseded, locked or gone a key, in order. Raises VE109.$$;

revoke execute on function evervec.write_vectors(evervec.source, jsonb[], bytea[], vector[], text[]) from public;
