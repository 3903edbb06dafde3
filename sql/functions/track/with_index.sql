-- with_index: a source with the type of its stored vectors and the index over them that are wanted; NULL keeps what it has.
--
-- An index takes vectors of up to 2,000 dimensions as they are, of up to 4,000 with members of two bytes (half), and more by their signs (bit).
-- Signs tell directions: they say nothing of what is near by l1. ivfflat does not know l1 at all.
-- Locks:  none.
-- Raises: VE111 an option has a value that it does not take, or not with the others
create or replace function evervec.with_index(
    p_source      evervec.source,
    p_index       text,
    p_precision   text,
    p_vector_type text,
    p_options     jsonb
)
returns evervec.source
language plpgsql stable
set search_path from current
as $$
declare
    v_dimensions integer := (select m.dimensions from evervec.model m where m.model_id = p_source.model_id);
    v_former     evervec.source := p_source;
    v_allowed    text[];
    v_most       jsonb;
    v_option     record;
begin
    p_source.index_method := coalesce(p_index, p_source.index_method);
    p_source.vector_type := coalesce(p_vector_type, p_source.vector_type);
    perform evervec.check_option('p_index', p_source.index_method, array['hnsw', 'ivfflat', 'none']);
    perform evervec.check_option('p_vector_type', p_source.vector_type, array['vector', 'halfvec']);
    p_source.index_precision := coalesce(
        p_precision,
        case when p_source.vector_type = v_former.vector_type then v_former.index_precision end,
        evervec.default_precision(p_source));
    v_allowed := array['full', 'half', 'bit'];
    perform evervec.check_option('p_precision', p_source.index_precision, v_allowed);
    if p_source.index_method <> 'none' then
        if p_source.vector_type = 'halfvec' or v_dimensions > 2000 then
            v_allowed := array_remove(v_allowed, 'full');
        end if;
        if v_dimensions > 4000 then
            v_allowed := array_remove(v_allowed, 'half');
        end if;
        if p_source.distance = 'l1' then
            v_allowed := array_remove(v_allowed, 'bit');
        end if;
        if p_source.distance = 'l1' and (p_source.index_method = 'ivfflat' or v_dimensions > 4000) then
            perform evervec.check_option(
                format('p_index, with %s dimensions and distance l1,', v_dimensions), p_source.index_method,
                case when v_dimensions > 4000 then array['none'] else array['hnsw', 'none'] end);
        end if;
        perform evervec.check_option(
            format('p_precision, with %s dimensions of type %s and distance %s,', v_dimensions, p_source.vector_type, p_source.distance),
            p_source.index_precision, v_allowed);
    end if;

    p_source.index_options := coalesce(
        p_options,
        case when (p_source.index_method, p_source.index_precision) = (v_former.index_method, v_former.index_precision)
             then v_former.index_options end,
        '{}');
    if jsonb_typeof(p_source.index_options) <> 'object' then
        perform evervec.check_option('p_index_options', p_source.index_options::text, array['a JSON object']);
    end if;
    v_most := case p_source.index_method when 'hnsw' then '{"m": [2, 100], "ef_construction": [4, 1000]}'
                                         when 'ivfflat' then '{"lists": [1, 32768]}' else '{}' end::jsonb
              || case when p_source.index_method <> 'none' and p_source.index_precision = 'bit' then '{"rerank": [1, 1000]}' else '{}' end::jsonb;
    for v_option in select o.key, o.value, v_most -> o.key as range from jsonb_each(p_source.index_options) as o (key, value) loop
        if v_option.range is null then
            perform evervec.check_option(
                format('a member of p_index_options, with p_index %s and p_precision %s,', p_source.index_method, p_source.index_precision),
                v_option.key, array(select jsonb_object_keys(v_most)));
        elsif (v_option.value::text ~ '^\d{1,5}$'
               and v_option.value between v_option.range -> 0 and v_option.range -> 1) is not true then
            perform evervec.check_option(format('p_index_options, %s,', v_option.key), v_option.value::text,
                                         array[format('a whole number from %s to %s', v_option.range -> 0, v_option.range -> 1)]);
        end if;
    end loop;
    -- pgvector's own rule, and its defaults.
    if p_source.index_method = 'hnsw'
       and coalesce((p_source.index_options ->> 'ef_construction')::integer, 64) < 2 * coalesce((p_source.index_options ->> 'm')::integer, 16) then
        perform evervec.check_option('p_index_options, ef_construction,', coalesce(p_source.index_options ->> 'ef_construction', '64'),
                                     array['at least twice m']);
    end if;
    return p_source;
end
$$;

comment on function evervec.with_index(evervec.source, text, text, text, jsonb) is
$$Internal. The source with vector_type, index_method, index_precision and index_options set; NULL keeps what it has, or is the default. Raises VE111.$$;

revoke execute on function evervec.with_index(evervec.source, text, text, text, jsonb) from public;
