-- keep_effort: the effort that tune has found becomes that of all searches of the source; NULL: the default again.
--
-- Locks:  the source's row.
-- Raises: VE101 unknown source · VE210, 2BP01 as create_search_functions
-- needs: functions/track/create_search_functions.sql
create or replace function evervec.keep_effort(p_source text, p_effort integer)
returns void
language plpgsql security definer
set search_path from current
as $$
declare
    v_source evervec.source := evervec.source_named(p_source);
begin
    update evervec.source s
       set search_effort = p_effort
     where s.source_id = v_source.source_id and s.search_effort is distinct from p_effort
    returning * into v_source;
    if found and v_source.state <> 'suspended' then
        perform evervec.create_search_functions(v_source);
        -- More effort may find other rows.
        perform evervec.note_change(v_source.source_id);
    end if;
end
$$;

comment on function evervec.keep_effort(text, integer) is
$$Internal. Stores evervec.source.search_effort and writes the search functions anew. Raises VE101, VE210, 2BP01.$$;

revoke execute on function evervec.keep_effort(text, integer) from public;
