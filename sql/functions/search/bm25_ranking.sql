-- bm25_ranking: by which index, and for which words, BM25 ranks what a search in words finds; NULLs where it cannot, or must not.
--
-- It cannot before its index is built, and after the extension was dropped. It must not where row-level security hides rows from the caller: its score
-- counts in how many texts a word occurs, and would tell of a row of the caller's own whether somebody else's has the same word.
--
-- What is excluded is no word to rank by, and neither is the or between two; beyond 64, pg_textsearch looks each up anew for each row.
-- Its index ends after 100,000 texts, and has none without any of these words: may_end says that there could be such a text that is wanted.
-- Locks:  none.
create or replace function evervec.bm25_ranking(
    p_target    regclass,
    p_schema    text,
    p_text      text,
    out index   text,
    out words   text,
    out may_end boolean
)
language plpgsql stable
set search_path from current
as $$
begin
    select format('%I.%I', n.nspname, c.relname) into index
      from pg_index i
      join pg_attribute a on a.attrelid = i.indrelid and a.attnum = i.indkey[0] and a.attname = 'document_text'
      join pg_class c on c.oid = i.indexrelid
      join pg_namespace n on n.oid = c.relnamespace
      join pg_am m on m.oid = c.relam and m.amname = 'bm25'
     where i.indrelid = p_target and i.indisvalid and p_schema = evervec.bm25_schema() and not row_security_active(p_target);
    if found then
        words := regexp_replace(left(p_text, 10000), '(^|\s)-\s*("[^"]*"?|\S+)|\mor\M', ' ', 'gi');
        words := array_to_string((regexp_split_to_array(words, '\s+'))[:64], ' ');
        may_end := words <> p_text or evervec.estimated_rows(p_target) > 50000;
    end if;
end
$$;

comment on function evervec.bm25_ranking(regclass, text, text) is
$$Internal. The index of pg_textsearch (in p_schema) on an embedding table, the words to rank by, and whether its answer may end before all is found; NULLs where ts_rank_cd is to rank.$$;

revoke execute on function evervec.bm25_ranking(regclass, text, text) from public;
