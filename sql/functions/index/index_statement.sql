-- index_statement: the next statement towards the indexes of a source, of its vectors and of their words; NULL when nothing is left to do.
--
-- CREATE INDEX CONCURRENTLY runs in no function, so a client asks for the statement and executes it: first a DROP of what
-- a killed build has left invalid, then the CREATE.
-- Locks:  none itself; the statements take SHARE UPDATE EXCLUSIVE on the embedding table.
-- Raises: VE101 unknown source
create or replace function evervec.index_statement(p_source text)
returns text
language plpgsql stable
set search_path from current
as $$
declare
    v_source evervec.source := evervec.source_named(p_source);
    v_index  record;
begin
    select * into v_index from evervec.wanted_index(v_source);
    return case
        when v_index.column_name is null or v_index.building then null
        when v_index.index is not null then format('drop index concurrently %s', evervec.qualified_name(v_index.index))
        else evervec.index_definition(v_source, 'concurrently', v_index.column_name)
    end;
end
$$;

comment on function evervec.index_statement(text) is
$$The next statement that the index of a source's vectors needs, or after it that of their words (p_text_search), to be executed outside a transaction: DROP INDEX CONCURRENTLY of an invalid one, or CREATE INDEX CONCURRENTLY; NULL when they stand, one is being built, or none is wanted. Raises VE101.$$;

revoke execute on function evervec.index_statement(text) from public;
