-- doctor_words: findings: words cannot be kept, because the text search configuration of a source is gone; or not be ranked by BM25.
--
-- Locks:  none.
create or replace function evervec.doctor_words(p_source evervec.source)
returns table (finding text, severity text, problem text, remedy text)
language plpgsql stable
set search_path from current
as $$
begin
    if p_source.bm25 and evervec.bm25_schema() is null then
        return query
        select 'no bm25', 'advice',
               format('Words of "%s" are to be ranked by BM25, but the extension pg_textsearch is not in this database: ts_rank_cd ranks them.', p_source.name),
               format('create extension pg_textsearch; -- or: select evervec.retrack(%L, p_bm25 => false);', p_source.name);
    end if;
    perform p_source.text_search::regconfig;
exception when others then
    return query
    select 'broken words', 'error',
           format('The words of "%s" cannot be told: %s. Its vectors are stored without them.', p_source.name, rtrim(sqlerrm, '.')),
           format('select evervec.retrack(%L, p_text_search => %L);', p_source.name, 'simple');
end
$$;

comment on function evervec.doctor_words(evervec.source) is
$$Internal. Findings of doctor: a text search configuration, or pg_textsearch, that is not there.$$;

revoke execute on function evervec.doctor_words(evervec.source) from public;
