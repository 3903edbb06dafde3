-- key_call: the SQL that builds the row_key of a row: evervec.key_film(s.id).
--
-- Locks:  none.
-- needs: functions/track/key_list.sql
create or replace function evervec.key_call(
    p_source evervec.source,
    p_alias  text,
    p_target boolean default false
)
returns text
language sql immutable
set search_path from current
as $$
    select format('evervec.%I(%s)', 'key_' || p_source.name, evervec.key_list(p_source, p_alias, p_target))
$$;

comment on function evervec.key_call(evervec.source, text, boolean) is
$$Internal. Call of the source's generated key function on a row of the source (or of its embedding table).$$;

revoke execute on function evervec.key_call(evervec.source, text, boolean) from public;
