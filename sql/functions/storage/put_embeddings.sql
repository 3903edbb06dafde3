-- put_embeddings: stores the application's own vectors for rows of a manual source.
--
-- Rows are held FOR KEY SHARE while their vectors are written, so that none outlives its row. What a transaction of somebody else
-- holds is waited for, two seconds at most.
-- Locks:  the rows FOR KEY SHARE, their vectors; to the end of the caller's transaction.
-- Raises: VE101 unknown source · VE108 unknown model · VE109 a model of other dimensions · VE111 lists of different lengths, or metadata
--         that is no object · VE201 bad vector · VE202 bad row_key · VE205 not a manual source · VE213 row-level security applies to the caller · 55P03 a row stays locked
create or replace function evervec.put_embeddings(
    p_source     text,
    p_row_keys   jsonb[],
    p_embeddings vector[],
    p_model      text default null,
    p_metadata   jsonb[] default null
)
returns bigint
language plpgsql security definer
set search_path from current
set lock_timeout = '2s'
as $$
declare
    v_source evervec.source := evervec.manual_source(p_source);
    v_own    evervec.model;
    v_model  evervec.model;
    v_keys   jsonb[];
    v_stored bigint;
begin
    perform evervec.check_sees_all(v_source);
    select * into v_own from evervec.model m where m.model_id = v_source.model_id;
    v_model := evervec.model_named(coalesce(p_model, v_own.name));
    if v_model.dimensions <> v_own.dimensions then
        raise exception using
            errcode = 'VE109',
            message = format('model "%s" does not fit source "%s"', v_model.name, v_source.name),
            detail  = format('Its vectors have %s dimensions, those of the source have %s.', v_model.dimensions, v_own.dimensions),
            hint    = format('Use model "%s", or another one of as many dimensions.', v_own.name);
    elsif cardinality(p_row_keys) is distinct from cardinality(p_embeddings)
          or cardinality(p_metadata) <> cardinality(p_row_keys) then
        raise exception using
            errcode = 'VE111', message = 'keys, vectors and metadata are not of the same number',
            detail  = format('p_row_keys has %s elements, p_embeddings %s, p_metadata %s.', coalesce(cardinality(p_row_keys), 0),
                             coalesce(cardinality(p_embeddings), 0), coalesce(cardinality(p_metadata), 0)),
            hint    = 'Give one vector for each key; p_metadata may be left out.';
    elsif exists (select from unnest(p_metadata) as m (value) where jsonb_typeof(m.value) <> 'object') then
        raise exception using
            errcode = 'VE111', message = 'metadata is not a JSON object',
            detail  = (select format('It is: %s', left(m.value::text, 200))
                         from unnest(p_metadata) as m (value) where jsonb_typeof(m.value) <> 'object' limit 1),
            hint    = 'For example: ''{"language": "en"}''.';
    end if;
    perform evervec.check_vectors(v_source, p_embeddings);
    v_keys := array(select evervec.check_row_key(v_source, k.row_key)
                      from unnest(p_row_keys) with ordinality as k (row_key, ordinality) order by k.ordinality);

    execute format('select evervec.%I($1, $2, $3, $4)', 'put_' || v_source.name)
    into v_stored
    using v_keys, p_embeddings, p_metadata, v_model.model_id;
    if v_stored > 0 then
        perform evervec.note_change(v_source.source_id);
    end if;
    return v_stored;
exception when lock_not_available then
    raise exception using
        errcode = 'lock_not_available',
        message = format('a row of source "%s" stays locked', v_source.name),
        detail  = 'Another transaction holds it, and two seconds were not enough. Nothing of this call was stored.',
        hint    = 'Call again when that transaction has ended; pg_blocking_pids() tells whose it is.';
end
$$;

comment on function evervec.put_embeddings(text, jsonb[], vector[], text, jsonb[]) is
$$Stores one vector of yours for each row_key of a manual source, replacing a former one, and returns for how many a row was there; keys without a row are passed over. p_model: whose vectors they are; default: the source's model; another one must have as many dimensions. p_metadata: a JSON object each. evervec never embeds these rows and removes their vectors with them. Waits two seconds at most for a locked row. Raises VE101, VE108, VE109, VE111, VE201, VE202, VE205, VE213, 55P03.$$;

revoke execute on function evervec.put_embeddings(text, jsonb[], vector[], text, jsonb[]) from public;
