-- trigger_condition: the WHEN clause of a trigger: a watched column really changed, and the session does not bypass evervec.
--
-- needs: functions/track/row_differs.sql
-- Locks:  none.
create or replace function evervec.trigger_condition(p_watched text[] default null)
returns text
language sql immutable
set search_path from current
as $$
    select concat_ws(' and ', case when p_watched is not null then evervec.row_differs(p_watched) end,
                     'pg_catalog.current_setting(''evervec.bypass'', true) is distinct from ''on''')
$$;

comment on function evervec.trigger_condition(text[]) is
$$Internal. WHEN clause of a trigger. p_watched: columns of an UPDATE whose change counts; NULL: no such condition.$$;

revoke execute on function evervec.trigger_condition(text[]) from public;
