-- build_index: builds the indexes of a source, of its vectors and of their words, inside the caller's transaction.
--
-- For scripts that have nothing but SQL. Writes of vectors, and deletes from the source, wait while it builds; a worker builds it
-- concurrently instead.
-- Locks:  SHARE on the embedding table; where it takes the place of another index, that of replace_index.
-- Raises: VE101 unknown source · VE210, 2BP01, 55P03 as replace_index
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
        if v_index.step = 'drop' then
            execute format('drop index %s', evervec.qualified_name(v_index.index));
        elsif v_index.step = 'create' then
            execute evervec.index_definition(v_source, '', v_index.column_name);
        else
            perform evervec.replace_index(p_source);
            v_source := evervec.source_named(p_source);
        end if;
        v_built := true;
    end loop;
    return v_built;
end
$$;

comment on function evervec.build_index(text) is
$$Builds the index of a source's vectors, and that of their words (p_text_search), blocking writes of vectors meanwhile; true when one was built, false when they stood or none is wanted. One that takes the place of another (retrack with other p_index options) locks the embedding table ACCESS EXCLUSIVE for a moment. Raises VE101, VE210, 2BP01, 55P03.$$;

revoke execute on function evervec.build_index(text) from public;
