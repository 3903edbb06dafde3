-- build_index: builds the vector index of a source inside the caller's transaction.
--
-- For scripts that have nothing but SQL. Writes of vectors, and deletes from the source, wait while it builds; a worker builds it
-- concurrently instead.
-- Locks:  SHARE on the embedding table.
-- Raises: VE101 unknown source
create or replace function evervec.build_index(p_source text)
returns boolean
language plpgsql
set search_path from current
as $$
declare
    v_source evervec.source := evervec.source_named(p_source);
    v_index  record;
begin
    select * into v_index from evervec.index_of(v_source);
    if v_source.index_method = 'none' or v_index.valid then
        return false;
    end if;
    if v_index.index is not null then
        execute format('drop index %s', v_index.index);
    end if;
    execute evervec.index_definition(v_source);
    return true;
end
$$;

comment on function evervec.build_index(text) is
$$Builds the vector index of a source, blocking writes of vectors meanwhile; true when it was built, false when it stood or none is wanted. Raises VE101.$$;

revoke execute on function evervec.build_index(text) from public;
