-- maintenance_jobs: the upkeep of this database as jobs of pg_cron: evervec.maintenance, and the pruning of what pg_cron keeps about them.
--
-- Pruning is a plain statement, because it runs in pg_cron's database, where evervec may not be. It leaves alone what other jobs did,
-- and takes by number, because runs that a crash cut short have no times.
-- Locks:  none.
-- needs: functions/control/setting_interval.sql
-- needs: functions/schedule/cron_schedule.sql
create or replace function evervec.maintenance_jobs()
returns table (name text, schedule text, command text, database name, role name)
language sql stable security definer
set search_path from current
as $$
    with job as (
        select m.job, m.every, format('select * from evervec.%I()', m.job) as command
          from evervec.maintenance m
        union all
        select 'prune', interval '1 hour', null
    ), named as (
        select format('evervec.%s@%s', j.job, current_database()) as name, j.every, j.command
          from job j
    ), prune as (
        select format('delete from cron.job_run_details where runid in (select d.runid from cron.job_run_details d join cron.job j using (jobid) '
                      'where j.jobname::text = any (%L) and d.runid <= (select max(o.runid) from cron.job_run_details o '
                      'where o.end_time < now() - interval %L) order by d.runid limit 50000)',
                      array_agg(n.name order by n.name), evervec.setting_interval('cron_history_keep', '2 days')) as command
          from named n
    )
    select n.name, evervec.cron_schedule(n.every), coalesce(n.command, p.command),
           case when n.command is not null then current_database() end,
           case when n.command is not null then current_user end
      from named n
      cross join prune p
     order by n.name
$$;

comment on function evervec.maintenance_jobs() is
$$The jobs that schedule_maintenance gives to pg_cron, for those who schedule otherwise. name: unique on the server; schedule: in pg_cron's words, from evervec.maintenance; command: SQL; database, role: where the job runs, and as whom; NULL: where pg_cron is, as whoever schedules it, which is so for pruning what pg_cron keeps about these jobs (setting cron_history_keep, 2 days).$$;

revoke execute on function evervec.maintenance_jobs() from public;
