-- schedule_maintenance: gives the upkeep of this database to pg_cron.
--
-- A job of the same name and role is replaced, so this may be repeated, after a change of evervec.maintenance too. pg_cron before 1.5
-- refuses seconds: those jobs run every minute.
-- Locks:  rows of cron.job.
-- Raises: VE421 pg_cron is not here, or not for evervec's owner
-- needs: functions/schedule/has_cron.sql
-- needs: functions/schedule/maintenance_jobs.sql
create or replace function evervec.schedule_maintenance()
returns table (name text, schedule text)
language plpgsql security definer
set search_path from current
as $$
declare
    c_schedule constant text := 'select cron.schedule($1, $2, $3)';
    v_job      record;
begin
    if not evervec.has_cron() then
        raise exception using
            errcode = 'VE421',
            message = format('pg_cron cannot be used in database "%s"', current_database()),
            detail  = format('There is no schema cron here, or %I has no USAGE on it.', current_user),
            hint    = format('CREATE EXTENSION pg_cron; GRANT USAGE ON SCHEMA cron TO %I; as a superuser, or "evervec schedule --cron-dsn URL" where '
                             'pg_cron is in another database. Without pg_cron, workers do the same.', current_user);
    end if;
    for v_job in select * from evervec.maintenance_jobs() loop
        name := v_job.name;
        schedule := v_job.schedule;
        begin
            execute c_schedule using name, schedule, v_job.command;
        exception when invalid_parameter_value then
            schedule := '* * * * *';
            execute c_schedule using name, schedule, v_job.command;
        end;
        return next;
    end loop;
end
$$;

comment on function evervec.schedule_maintenance() is
$$Gives the upkeep of this database (see maintenance_jobs) to pg_cron, to be run as evervec's owner; returns the jobs with their schedules. May be repeated. Where pg_cron is in another database: "evervec schedule --cron-dsn". Raises VE421.$$;

revoke execute on function evervec.schedule_maintenance() from public;
