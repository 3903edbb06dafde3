-- doctor_triggers: finding: triggers of a source that are missing or disabled, so that changes go unnoticed.
--
-- A disabled trigger: ALTER TABLE … DISABLE TRIGGER, or a restore that did not put it back. Also on partitions and on the tables in
-- p_depends_on. retrack makes them anew and compares all rows, because changes were missed meanwhile.
-- Locks:  none.
-- needs: functions/control/expected_triggers.sql
create or replace function evervec.doctor_triggers(p_source evervec.source)
returns table (finding text, severity text, problem text, remedy text)
language sql stable
set search_path from current
as $$
    with trigger as (
        select x.relation, x.name, t.tgenabled
          from evervec.expected_triggers(p_source) x
          left join pg_trigger t on t.tgrelid = x.relation and t.tgname = x.name
    )
    select case when bool_and(t.tgenabled is null) then 'missing triggers' else 'disabled triggers' end, 'error',
           format('Changes of %s go unnoticed: %s %s.', string_agg(distinct t.relation::text, ', '),
                  string_agg(distinct t.name::text, ', '),
                  case when count(distinct t.name) = 1 then 'is' else 'are' end
                  || case when bool_and(t.tgenabled is null) then ' missing' else ' disabled' end),
           format('select evervec.retrack(%L);', p_source.name)
      from trigger t
     where coalesce(t.tgenabled in ('D', 'R'), true)
     group by t.tgenabled is null
$$;

comment on function evervec.doctor_triggers(evervec.source) is
$$Internal. Finding of doctor: missing or disabled triggers.$$;

revoke execute on function evervec.doctor_triggers(evervec.source) from public;
