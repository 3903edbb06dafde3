-- drop_partitions: removes the oldest partition of interactions, if all in it is past its time.
--
-- Whoever writes or reads interactions waits behind the lock that this wants, so it gives up at once, and comes again. One a call, and as
-- the last of what a transaction does, because the lock is held until its end.
-- Locks:  ACCESS EXCLUSIVE on evervec.interaction and the partition, for which it waits 50 ms at most.
-- needs: functions/control/setting_interval.sql
create or replace function evervec.drop_partitions()
returns bigint
language plpgsql
set search_path from current
set lock_timeout = '50ms'
set timezone = 'UTC'
as $$
declare
    v_partition regclass;
begin
    select c.oid
      into v_partition
      from pg_inherits i
      join pg_class c on c.oid = i.inhrelid
     where i.inhparent = 'evervec.interaction'::regclass and c.relname ~ '^interaction_\d{4,}_\d\d$'
       and to_timestamp(substring(c.relname from 13), 'YYYY_MM') + interval '1 month' < now() - evervec.setting_interval('interaction_keep', '1 year')
     order by c.relname
     limit 1;
    if not found then
        return 0;
    end if;
    execute format('drop table %s', v_partition);
    return 1;
exception when lock_not_available then
    return 0;
end
$$;

comment on function evervec.drop_partitions() is
$$Internal. Drops the oldest partition of interactions that is wholly past its time (interaction_keep); returns 1, or 0 when there is none, or when it is in use.$$;

revoke execute on function evervec.drop_partitions() from public;
