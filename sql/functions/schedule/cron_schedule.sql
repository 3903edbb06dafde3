-- cron_schedule: how pg_cron writes "every so often".
--
-- Under a minute in seconds, which pg_cron has from 1.5 on; otherwise in whole minutes or hours, rounded down.
-- Locks:  none.
create or replace function evervec.cron_schedule(p_every interval)
returns text
language sql immutable
set search_path from current
as $$
    select case when s.seconds < 60 then format('%s seconds', greatest(s.seconds, 1))
                when s.seconds < 3600 then format('*/%s * * * *', s.seconds / 60)
                when s.seconds < 86400 then format('0 */%s * * *', s.seconds / 3600)
                else '0 0 * * *' end
      from (select extract(epoch from p_every)::integer as seconds) s
$$;

comment on function evervec.cron_schedule(interval) is
$$Internal. A schedule of pg_cron for an interval of a second to a day.$$;

revoke execute on function evervec.cron_schedule(interval) from public;
