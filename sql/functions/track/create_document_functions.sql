-- create_document_functions: the generated functions that write the words of texts for full text search.
--
-- document_<source>(text) → its words. A tsvector holds 1 MB, and nobody's vector is to be lost for that: a long text is cut, and cut again
-- where a dictionary makes more of it than most do.
-- redocument_<source>(row_keys) → writes the words of rows whose vector is right and whose words are missing, while their text is that of the
-- vector (with BM25, the text too; never without its words, so that its index finds no configuration gone). What others hold is passed over: they write the words themselves, or take the vector away.
-- Locks:  none that matter; redocument_ takes rows of the embedding table FOR UPDATE SKIP LOCKED.
create or replace function evervec.create_document_functions(p_source evervec.source)
returns void
language plpgsql
set search_path from current
as $$
declare
    v_sql record;
begin
    select * into v_sql from evervec.fragments(p_source);
    perform evervec.create_row_function(
        p_source, 'document', 'p_text text', 'tsvector', true,
        format(
            $body$
        declare
            v_characters integer := 200000;
            v_words      tsvector;
        begin
            loop
                begin
                    v_words := to_tsvector(%L::regconfig, left($1, v_characters));
                    exit;
                exception
                    when program_limit_exceeded then
                        v_characters := v_characters / 2;
                    when others then
                        -- The configuration is gone, or its dictionary: the vector is stored without words, and doctor tells.
                        exit;
                end;
            end loop;
            return v_words;
        end
            $body$,
            p_source.text_search),
        -- Of words that are too long for a tsvector.
        'set client_min_messages = warning');
    perform evervec.create_row_function(
        p_source, 'redocument', 'p_row_keys jsonb[]', 'void', false,
        format(
            $body$
        begin
            with undocumented as materialized (
                select e.ctid as address, t.content, evervec.%1$I(t.content) as document
                  from unnest($1) as k (row_key)
                  join %2$s e on %3$s
                  join %4$s s on %5$s
                  cross join lateral (select %6$s as content offset 0) t
                 where %7$s and e.content_hash = sha256(convert_to(t.content, 'UTF8'))
                   for update of e skip locked
            )
            update %2$s d
               set document = u.document %8$s
              from undocumented u
             where d.ctid = u.address;
        end
            $body$,
            'document_' || p_source.name, v_sql.target, evervec.key_match(p_source, 'e', true), v_sql.relation,
            evervec.key_match(p_source, 's', false), v_sql.content,
            case when p_source.bm25 then '(e.document is null or e.document_text is null)' else 'e.document is null' end,
            case when p_source.bm25 then ', document_text = case when u.document is not null then left(u.content, 200000) end' end),
        'set enable_seqscan = off set jit = off set client_min_messages = warning');
end
$$;

comment on function evervec.create_document_functions(evervec.source) is
$$Internal. Creates or replaces document_<source> and redocument_<source>.$$;

revoke execute on function evervec.create_document_functions(evervec.source) from public;
