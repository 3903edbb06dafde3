-- unschedule_maintenance: takes the upkeep of this database from pg_cron again, with what pg_cron kept about it.
--
-- Locks:  rows of cron.job and cron.job_run_details.
-- needs: functions/schedule/has_cron.sql
-- needs: functions/schedule/maintenance_jobs.sql
create or replace function evervec.unschedule_maintenance()
returns bigint
language plpgsql security definer
set search_path from current
as $$
declare
    v_jobs  bigint[];
    v_count bigint;
begin
    if not evervec.has_cron() then
        return 0;
    end if;
    execute 'select array_agg(j.jobid) from cron.job j where j.jobname::text = any ($1)'
       into v_jobs
      using array(select m.name from evervec.maintenance_jobs() m);
    execute 'delete from cron.job_run_details d where d.jobid = any ($1)' using v_jobs;
    execute 'select count(cron.unschedule(j.jobid)) from unnest($1) as j (jobid)' into v_count using v_jobs;
    return v_count;
end
$$;

comment on function evervec.unschedule_maintenance() is
$$Takes the jobs of schedule_maintenance from pg_cron; returns how many there were, 0 also where pg_cron is not.$$;

revoke execute on function evervec.unschedule_maintenance() from public;
