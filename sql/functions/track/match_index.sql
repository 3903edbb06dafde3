-- match_index: what another index or vector type of a source means for what is there: stored vectors, and the index in use.
--
-- A standing index of another kind goes on being used until the one that is wanted takes its place; without one there is nothing to wait for.
-- Locks:  with another vector type, ACCESS EXCLUSIVE on the embedding table, taken in attempts of half a second with pauses between them;
--         it is rewritten.
-- Raises: VE111 a vector type that is not that of the user's own column · 55P03 the table stays locked
create or replace function evervec.match_index(p_source evervec.source, p_former evervec.source)
returns evervec.source
language plpgsql
set search_path from current
as $$
declare
    v_dimensions integer := (select m.dimensions from evervec.model m where m.model_id = p_source.model_id);
    v_index      regclass;
begin
    if p_source.vector_type <> p_former.vector_type then
        if p_source.storage = 'column' then
            perform evervec.check_option('p_vector_type, with a column of your own,', p_source.vector_type, array[p_former.vector_type]);
        end if;
        perform evervec.lock_relation(p_source.target, 'access exclusive');
        for v_index in select x.index from evervec.vector_indexes(p_source) x loop
            execute format('drop index %s', evervec.qualified_name(v_index));
        end loop;
        execute format('alter table %1$s alter column %2$I type %3$s(%4$s) using %2$I::%3$s(%4$s)', evervec.qualified_name(p_source.target),
                       p_source.vector_column, p_source.vector_type, v_dimensions);
    end if;
    if p_source.index_method = 'none' or not exists (select from evervec.vector_indexes(p_source) x where x.valid) then
        if (p_source.search_method, p_source.search_precision) <> (p_source.index_method, p_source.index_precision) then
            p_source.search_effort := null;
        end if;
        p_source.search_method := p_source.index_method;
        p_source.search_precision := p_source.index_precision;
    end if;
    return p_source;
end
$$;

comment on function evervec.match_index(evervec.source, evervec.source) is
$$Internal. The source with search_method and search_precision set, and its stored vectors of the type that it has now. Raises VE111, 55P03.$$;

revoke execute on function evervec.match_index(evervec.source, evervec.source) from public;
