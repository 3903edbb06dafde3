-- doctor_signals: finding: a signal whose query fails.
--
-- Locks:  none.
create or replace function evervec.doctor_signals(p_source evervec.source)
returns table (finding text, severity text, problem text, remedy text)
language sql stable
set search_path from current
as $$
    select 'broken signal', 'error',
           format('Signal "%s" of "%s" fails: %s. It says nothing about anybody. Correct the query in the remedy.',
                  s.name, p_source.name, rtrim(e.error, '.')),
           format('select evervec.drop_signal(%L, %L);', p_source.name, s.name)
           || ' ' || format('select evervec.add_signal(%L, %L, %L, %s);', p_source.name, s.name, s.query, s.weight)
      from evervec.signal s
      cross join lateral (
        select coalesce(s.last_error, case when not exists (
                   select from pg_proc p
                    where p.pronamespace = 'evervec'::regnamespace and p.proname = format('signal_%s_%s', p_source.name, s.name))
                   then format('function evervec.%I is not there', format('signal_%s_%s', p_source.name, s.name)) end) as error) e
     where s.source_id = p_source.source_id and e.error is not null
     order by s.name
$$;

comment on function evervec.doctor_signals(evervec.source) is
$$Internal. Finding of doctor and alerts: a signal that fails.$$;

revoke execute on function evervec.doctor_signals(evervec.source) from public;
