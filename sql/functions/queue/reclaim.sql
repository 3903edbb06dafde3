-- reclaim: makes jobs pending again whose lease has expired; their worker is late or dead.
--
-- Locks:  the expired jobs, SKIP LOCKED, in (source_id, task_type, row_key) order.
create or replace function evervec.reclaim(p_limit integer default 1000)
returns bigint
language sql
set search_path from current
as $$
    with expired as (
        select q.job_id
          from evervec.processing_queue q
         where q.status = 'processing' and q.lease_expires_at < clock_timestamp()
         order by q.source_id, q.task_type, q.row_key
         limit p_limit
           for update skip locked
    ), reclaimed as (
        update evervec.processing_queue q
           set status = 'pending', lease_token = null, lease_expires_at = null, available_at = now(),
               last_error = 'lease expired'
          from expired e
         where q.job_id = e.job_id
        returning 1
    )
    select count(*) from reclaimed
$$;

comment on function evervec.reclaim(integer) is
$$Internal. Returns up to p_limit jobs with an expired lease to pending; gives their number.$$;

revoke execute on function evervec.reclaim(integer) from public;
