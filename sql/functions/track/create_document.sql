-- create_document: the columns of an embedding table for the words of its texts, and for BM25 the texts, empty, in the place of former ones.
--
-- To have other words is to have another column: nothing is written here, workers fill it. Its index is made at once where the table is new,
-- and otherwise by the worker, who keeps nobody waiting. MAIN: of a row that is too large the words go out of line before the vector does.
-- The words are kept where only the texts come or go.
-- Locks:  ACCESS EXCLUSIVE on the embedding table, taken in attempts of half a second with pauses between them.
-- Raises: 55P03 the table stays locked
-- needs: functions/core/qualified_name.sql
create or replace function evervec.create_document(p_source evervec.source, p_words boolean, p_new boolean)
returns void
language plpgsql
set search_path from current
as $$
declare
    v_target text := evervec.qualified_name(p_source.target);
begin
    perform evervec.lock_relation(p_source.target, 'access exclusive');
    execute format('alter table %s drop column if exists document_text', v_target);
    if p_source.bm25 then
        execute format('alter table %s add column document_text text', v_target);
        execute format('comment on column %s.document_text is %L', v_target, 'The text that document has the words of, for BM25.');
    end if;
    if not p_words then
        return;
    end if;
    execute format('alter table %s drop column if exists document', v_target);
    if p_source.text_search is not null then
        execute format('alter table %s add column document tsvector, alter column %I set storage main', v_target, p_source.vector_column);
        execute format('comment on column %s.document is %L', v_target,
                       'The words of the text that the vector stands for, for full text search; NULL: not written yet.');
        if p_new then
            execute evervec.index_definition(p_source, '', 'document');
        end if;
    end if;
end
$$;

comment on function evervec.create_document(evervec.source, boolean, boolean) is
$$Internal. Drops the column document_text of an embedding table, and with p_words document, and makes them anew where the source has bm25, and text_search; p_new: the index of the words too. Raises 55P03.$$;

revoke execute on function evervec.create_document(evervec.source, boolean, boolean) from public;
