-- index_statement: the next statement towards the indexes of a source, of its vectors and of their words; NULL when nothing is left to do.
--
-- CREATE INDEX CONCURRENTLY runs in no function, so a client asks for the statement and executes it: first a DROP of what
-- a killed build has left invalid, then the CREATE, then, where it replaces another one, the call that has searches use it. REINDEX
-- CONCURRENTLY leaves an invalid one, too, when it is killed: the new one, or, in its last moment, the former.
-- Locks:  none itself; the statements take SHARE UPDATE EXCLUSIVE on the embedding table, and the last one the lock of replace_index.
-- Raises: VE101 unknown source
create or replace function evervec.index_statement(p_source text, p_rebuild boolean default false)
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
        when v_index.building then null
        when v_index.column_name is null and p_rebuild
        then (select format('reindex index concurrently %s', evervec.qualified_name(x.index))
                from evervec.vector_indexes(v_source) x
               where x.valid and x.fits and (evervec.running_build(v_source.target)).pid is null
               order by x.index::oid
               limit 1)
        when v_index.column_name is null then null
        when v_index.step = 'drop' then format('drop index concurrently %s', evervec.qualified_name(v_index.index))
        when v_index.step = 'replace' then format('select evervec.replace_index(%L);', p_source)
        else evervec.index_definition(v_source, 'concurrently', v_index.column_name)
    end;
end
$$;

comment on function evervec.index_statement(text, boolean) is
$$The next statement that the index of a source's vectors needs, or after it that of their words (p_text_search), to be executed outside a transaction: DROP INDEX CONCURRENTLY of an invalid one, CREATE INDEX CONCURRENTLY, or a call that puts a new one into the place of a former one; NULL when they stand, one is being built, or none is wanted. p_rebuild: where nothing else is needed, REINDEX INDEX CONCURRENTLY of that of the vectors, which stays in use until the new one stands. Raises VE101.$$;

revoke execute on function evervec.index_statement(text, boolean) from public;
