-- build_index: builds the indexes of a source, of its vectors and of their words, inside the caller's transaction.
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
    v_built  boolean := false;
begin
    loop
        select * into v_index from evervec.wanted_index(v_source);
        exit when v_index.column_name is null;
        if v_index.index is not null then
            execute format('drop index %s', evervec.qualified_name(v_index.index));
        end if;
        execute evervec.index_definition(v_source, '', v_index.column_name);
        v_built := true;
    end loop;
    return v_built;
end
$$;

comment on function evervec.build_index(text) is
$$Builds the index of a source's vectors, and that of their words (p_text_search), blocking writes of vectors meanwhile; true when one was built, false when they stood or none is wanted. Raises VE101.$$;

revoke execute on function evervec.build_index(text) from public;
