-- check_vectors: refuses vectors that a source cannot hold, or that a search could never find.
--
-- Locks:  none.
-- Raises: VE201 NULL, wrong number of dimensions, zero under cosine distance, or too large for members of two bytes
create or replace function evervec.check_vectors(p_source evervec.source, p_embeddings vector[])
returns void
language plpgsql stable
set search_path from current
as $$
declare
    v_dimensions integer := (select m.dimensions from evervec.model m where m.model_id = p_source.model_id);
    v_bad        record;
begin
    select u.ordinality, u.embedding is null as missing, vector_dims(u.embedding) as dimensions
      into v_bad
      from unnest(p_embeddings) with ordinality as u (embedding, ordinality)
     where u.embedding is null
        or vector_dims(u.embedding) <> v_dimensions
        or p_source.distance = 'cosine' and vector_norm(u.embedding) = 0
     order by u.ordinality
     limit 1;
    if found then
        raise exception using
            errcode = 'VE201',
            message = case
                when v_bad.missing then format('vector %s is NULL', v_bad.ordinality)
                when v_bad.dimensions <> v_dimensions
                then format('vector %s has %s dimensions, not %s', v_bad.ordinality, v_bad.dimensions, v_dimensions)
                else format('vector %s is zero, which has no direction and so no cosine distance', v_bad.ordinality) end,
            detail  = format('Source "%s" holds vectors of %s dimensions and compares them by %s. Nothing of this call was stored.',
                             p_source.name, v_dimensions, p_source.distance),
            hint    = 'Embed the row with the model of the source, which evervec.get_source() names.';
    end if;
    if 'half' in (p_source.index_precision, p_source.search_precision) or p_source.vector_type = 'halfvec' then
        perform u.embedding::halfvec from unnest(p_embeddings) as u (embedding);
    end if;
exception when numeric_value_out_of_range then
    raise exception using
        errcode = 'VE201', message = format('a vector has no place in two bytes a member: %s', sqlerrm),
        detail  = format('Source "%s" stores or indexes vectors with members of two bytes, from -65504 to 65504. Nothing of this call was stored.',
                         p_source.name),
        hint    = format('Scale the vectors; or SELECT evervec.retrack(%L, p_vector_type => ''vector'', p_precision => ''full''); where their dimensions allow.',
                         p_source.name);
end
$$;

comment on function evervec.check_vectors(evervec.source, vector[]) is
$$Internal. Raises VE201 for the first vector that the source cannot hold.$$;

revoke execute on function evervec.check_vectors(evervec.source, vector[]) from public;
