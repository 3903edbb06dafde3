-- words_of: the words of a search as full text search looks them up; NULL where nothing is left that an index could find.
--
-- Locks:  none.
create or replace function evervec.words_of(p_text_search text, p_text text)
returns tsquery
language sql stable
set search_path from current
set client_min_messages = warning
as $$
    select q.words
      from (select websearch_to_tsquery(p_text_search::regconfig, left(p_text, 10000))) as q (words)
     where querytree(q.words) not in ('', 'T')
$$;

comment on function evervec.words_of(text, text) is
$$Internal. websearch_to_tsquery of the first 10,000 characters; NULL for stop words alone, and for words that are all excluded.$$;

revoke execute on function evervec.words_of(text, text) from public;
