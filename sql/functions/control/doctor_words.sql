-- doctor_words: finding: words cannot be kept, because the text search configuration of a source is gone.
--
-- Locks:  none.
create or replace function evervec.doctor_words(p_source evervec.source)
returns table (finding text, severity text, problem text, remedy text)
language plpgsql stable
set search_path from current
as $$
begin
    perform p_source.text_search::regconfig;
exception when others then
    return query
    select 'broken words', 'error',
           format('The words of "%s" cannot be told: %s. Its vectors are stored without them.', p_source.name, rtrim(sqlerrm, '.')),
           format('select evervec.retrack(%L, p_text_search => %L);', p_source.name, 'simple');
end
$$;

comment on function evervec.doctor_words(evervec.source) is
$$Internal. Finding of doctor: a text search configuration that is not there.$$;

revoke execute on function evervec.doctor_words(evervec.source) from public;
