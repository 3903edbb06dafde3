-- reclaim: makes jobs pending again whose lease has expired; their worker is late or dead.
--
-- A text may be what kills its worker. Nobody could tell which one of a batch, so a job whose lease has expired twice in succession
-- is leased alone from then on (due_jobs), and one that even so expires for the fifth time is given up: it is isolated, and its
-- batch is not buried with it.
-- Locks:  the expired jobs, SKIP LOCKED, in (source_id, task_type, row_key) order.
create or replace function evervec.reclaim(p_limit integer default 1000)
returns bigint
language plpgsql
set search_path from current
as $$
declare
    v_jobs record;
begin
    with expired as (
        select q.job_id
          from evervec.processing_queue q
         where q.status = 'processing' and q.lease_expires_at < now()
         order by q.source_id, q.task_type, q.row_key
         limit p_limit
           for update skip locked
    ), reclaimed as (
        update evervec.processing_queue q
           set status = 'pending', lease_token = null, lease_expires_at = null, available_at = now(),
               expiries   = q.expiries + 1,
               last_error = 'lease expired',
               failures   = evervec.with_failure(
                   q.failures, 'timeout', 'lease expired: its worker was not heard of again', null)
          from expired e
         where q.job_id = e.job_id
        returning q.job_id, q.expiries >= 5 as dead
    )
    select count(*) as jobs, array_agg(r.job_id) filter (where r.dead) as dead into v_jobs from reclaimed r;
    if v_jobs.dead is null then
        return v_jobs.jobs;
    end if;
    perform evervec.bury_jobs(v_jobs.dead, 'timeout', 'lease expired five times: what it is embedded from may be killing the worker');
    return v_jobs.jobs;
end
$$;

comment on function evervec.reclaim(integer) is
$$Internal. Returns up to p_limit jobs with an expired lease to pending; gives their number.$$;

revoke execute on function evervec.reclaim(integer) from public;
