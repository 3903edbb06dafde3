-- make_partitions: the partitions of interactions of this month and the next two, so that nobody who writes has to make one.
--
-- Locks:  as make_partition.
-- needs: functions/interaction/make_partition.sql
create or replace function evervec.make_partitions()
returns integer
language sql volatile security definer
set search_path from current
set timezone = 'UTC'
as $$
    select count(*) filter (where evervec.make_partition(now() + m.n * interval '1 month'))::integer from generate_series(0, 2) as m (n)
$$;

comment on function evervec.make_partitions() is
$$Internal. Makes the partitions of interactions of this month and the next two; returns how many were missing. Maintenance calls it; an interaction of another month gets its partition when it is recorded.$$;

revoke execute on function evervec.make_partitions() from public;
