-- check_preference: refuses a kind of preference that a source has not.
--
-- Locks:  none.
-- Raises: VE509 unknown kind of preference
-- needs: functions/preference/preferences_of.sql
create or replace function evervec.check_preference(p_source evervec.source, p_preference text)
returns void
language plpgsql stable
set search_path from current
as $$
declare
    v_kinds text[];
begin
    -- The kind that every source has is the one that is asked for almost always.
    if p_preference = 'default' then
        return;
    end if;
    v_kinds := array(select p.name from evervec.preferences_of(p_source.source_id) p order by p.name);
    if p_preference = any (v_kinds) is not true then
        raise exception using
            errcode = 'VE509',
            message = format('source "%s" has no kind of preference %s', p_source.name, coalesce('"' || p_preference || '"', 'NULL')),
            detail  = format('Its kinds are: %s.', array_to_string(v_kinds, ', ')),
            hint    = 'Add it with evervec.add_preference(…), or leave p_preference out.';
    end if;
end
$$;

comment on function evervec.check_preference(evervec.source, text) is
$$Internal. Raises VE509 for a kind of preference that the source has not.$$;

revoke execute on function evervec.check_preference(evervec.source, text) from public;
