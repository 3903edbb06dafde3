-- extend_lease: the heartbeat of a worker whose call takes long.
--
-- Locks:  the jobs of the lease in (source_id, task_type, row_key) order.
create or replace function evervec.extend_lease(p_lease_token uuid, p_lease interval default '5 minutes')
returns integer
language sql security definer
set search_path from current
as $$
    with leased as (
        select q.job_id
          from evervec.processing_queue q
         where q.lease_token = p_lease_token and q.status = 'processing'
         order by q.source_id, q.task_type, q.row_key
           for update
    ), extended as (
        update evervec.processing_queue q
           set lease_expires_at = clock_timestamp() + p_lease
          from leased l
         where q.job_id = l.job_id
        returning 1
    )
    select count(*)::integer from extended
$$;

comment on function evervec.extend_lease(uuid, interval) is
$$Extends the lease of all jobs under a token to p_lease (default 5 minutes) from now; returns how many there still are.$$;

revoke execute on function evervec.extend_lease(uuid, interval) from public;
