-- release_jobs: gives leased jobs back untouched, at no cost of an attempt: a worker that stops, a lock that was refused.
--
-- Locks:  the jobs in (source_id, task_type, row_key) order.
create or replace function evervec.release_jobs(p_lease_token uuid, p_job_ids bigint[])
returns integer
language sql security definer
set search_path from current
as $$
    with leased as (
        select q.job_id
          from evervec.processing_queue q
         where q.job_id = any (p_job_ids) and q.lease_token = p_lease_token
         order by q.source_id, q.task_type, q.row_key
           for update
    ), released as (
        update evervec.processing_queue q
           set status = 'pending', lease_token = null, lease_expires_at = null
          from leased l
         where q.job_id = l.job_id
        returning 1
    )
    select count(*)::integer from released
$$;

comment on function evervec.release_jobs(uuid, bigint[]) is
$$Returns leased jobs to pending without costing an attempt; gives the number that were still leased under the token.$$;

revoke execute on function evervec.release_jobs(uuid, bigint[]) from public;
