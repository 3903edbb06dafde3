-- words_of: the words of a search as full text search looks them up; NULL where nothing is left that an index could find.
--
-- Locks:  none.
-- Raises: VE219 its text search configuration does not work
create or replace function evervec.words_of(p_text_search text, p_text text)
returns tsquery
language plpgsql stable
set search_path from current
set client_min_messages = warning
as $$
declare
    v_words tsquery;
begin
    -- Lines of dashes are no words that are excluded, and too many of those are too deep for PostgreSQL.
    v_words := websearch_to_tsquery(p_text_search::regconfig, regexp_replace(left(p_text, 10000) collate "default", '(-\s*){2,}', ' ', 'g'));
    return case when querytree(v_words) not in ('', 'T') then v_words end;
exception when undefined_object or internal_error then
    raise exception using
        errcode = 'VE219',
        message = format('text search configuration %s does not work: %s', p_text_search, sqlerrm),
        detail  = 'Vectors are stored and searched all the same.',
        hint    = 'Create it again, or call evervec.retrack with another p_text_search.';
end
$$;

comment on function evervec.words_of(text, text) is
$$Internal. websearch_to_tsquery of the first 10,000 characters; NULL for stop words alone, and for words that are all excluded. Raises VE219.$$;

revoke execute on function evervec.words_of(text, text) from public;
