-- doctor_maintenance: finding: upkeep that failed when a worker ran it last.
--
-- Locks:  none.
create or replace function evervec.doctor_maintenance()
returns table (finding text, severity text, problem text, remedy text)
language sql stable
set search_path from current
as $$
    select 'failing upkeep', 'error',
           format('%s failed when it was last run: %s.', m.job, rtrim(m.error, '.')),
           format('select * from evervec.%I();', m.job)
      from evervec.maintenance m
     where m.error is not null
$$;

comment on function evervec.doctor_maintenance() is
$$Internal. Finding of doctor: upkeep that fails.$$;

revoke execute on function evervec.doctor_maintenance() from public;
