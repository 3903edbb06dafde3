-- settled_condition: a source's retention as a condition over its row s and that row's vector e.
--
-- Locks:  none.
-- needs: functions/track/over_row.sql
create or replace function evervec.settled_condition(p_source evervec.source)
returns text
language sql stable
set search_path from current
as $$
    select concat_ws(' and ',
        case when p_source.retention ? 'older_than' then
            format('%s < now() - interval %L',
                   coalesce('s.' || quote_ident(p_source.retention ->> 'column'), 'e.' || quote_ident(p_source.time_column)),
                   p_source.retention ->> 'older_than') end,
        case when p_source.retention ? 'where' then evervec.over_row(p_source.relation, p_source.retention ->> 'where') end)
$$;

comment on function evervec.settled_condition(evervec.source) is
$$Internal. SQL condition: the row s, whose vector is e, is settled as the source's retention says.$$;

revoke execute on function evervec.settled_condition(evervec.source) from public;
