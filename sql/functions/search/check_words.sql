-- check_words: refuses a search without words.
--
-- Locks:  none.
-- Raises: VE218 NULL, or nothing but blanks
create or replace function evervec.check_words(p_text text)
returns void
language plpgsql immutable
set search_path from current
as $$
begin
    if p_text is null or p_text collate "default" !~ '\S' then
        raise exception using
            errcode = 'VE218', message = 'there are no words to search for',
            detail  = format('p_text is %s.', case when p_text is null then 'NULL' else 'blank' end),
            hint    = 'Give the words of the search; evervec.find_similar() searches by a vector, evervec.find_similar_to() by a row.';
    end if;
end
$$;

comment on function evervec.check_words(text) is
$$Internal. Raises VE218 where there are no words to search for.$$;

revoke execute on function evervec.check_words(text) from public;
