-- settled_condition: a source's retention as SQL: a condition over its row s, and one over that row's vector e.
--
-- Two, so that a user's SQL never stands where e can be seen, whose columns it might take for its own once one of its own is renamed.
-- Locks:  none.
-- needs: functions/track/over_row.sql
create or replace function evervec.settled_condition(
    p_source      evervec.source,
    out of_row    text,
    out of_vector text
)
language sql stable
set search_path from current
as $$
    select coalesce(nullif(concat_ws(' and ',
               case when p_source.retention ? 'column' then
                   format('s.%I < now() - interval %L', p_source.retention ->> 'column', p_source.retention ->> 'older_than') end,
               case when p_source.retention ? 'where' then evervec.over_row(p_source.relation, p_source.retention ->> 'where') end), ''), 'true'),
           case when p_source.retention ? 'older_than' and not p_source.retention ? 'column' then
               format('e.%I < now() - interval %L', p_source.time_column, p_source.retention ->> 'older_than') else 'true' end
$$;

comment on function evervec.settled_condition(evervec.source) is
$$Internal. SQL conditions that together say, by the source's retention, that a row is settled: one over the row s, one over its vector e.$$;

revoke execute on function evervec.settled_condition(evervec.source) from public;
