-- forget_batches: removes batches, and the days that sum them up, that are older than the setting batch_log_keep.
--
-- Locks:  what is forgotten, SKIP LOCKED.
-- needs: functions/control/setting_interval.sql
create or replace function evervec.forget_batches(p_limit integer default 10000)
returns bigint
language sql
set search_path from current
as $$
    with oldest as (
        select now() - evervec.setting_interval('batch_log_keep', '400 days') as kept_at
    ), batches as (
        delete from evervec.batch_log b
         where b.ctid = any (array(
            select o.ctid from evervec.batch_log o where o.finished_at < (select k.kept_at from oldest k) limit p_limit for update skip locked))
        returning 1
    ), days as (
        delete from evervec.spending p
         where p.ctid = any (array(
            select o.ctid
              from evervec.spending o
             where o.day < (select (k.kept_at at time zone 'UTC')::date from oldest k)
             limit p_limit
               for update skip locked))
        returning 1
    )
    select (select count(*) from batches) + (select count(*) from days)
$$;

comment on function evervec.forget_batches(integer) is
$$Internal. Removes up to p_limit old batches, and as many old days of the view cost; returns how many of both.$$;

revoke execute on function evervec.forget_batches(integer) from public;
