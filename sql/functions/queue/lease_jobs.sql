-- lease_jobs: leases the most urgent jobs that are due: by priority, then by the time since which they wait.
--
-- One range of the pending index a priority, so that jobs that wait for a retry are never walked over.
-- Locks:  the leased jobs, SKIP LOCKED.
create or replace function evervec.lease_jobs(
    p_limit       bigint,
    p_lease       interval,
    p_lease_token uuid,
    p_sources     integer[]
)
returns bigint
language sql
set search_path from current
as $$
    with due as materialized (
        select q.job_id
          from generate_series(1, 10) as p (priority)
          cross join lateral (
            select j.job_id
              from evervec.processing_queue j
             where j.status = 'pending'
               and j.priority = p.priority
               and j.available_at <= now()
               and j.source_id = any (p_sources)
             order by j.available_at, j.job_id
             limit p_limit
               for update skip locked
          ) q
         limit p_limit
    ), leased as (
        update evervec.processing_queue q
           set status             = 'processing',
               lease_token        = p_lease_token,
               lease_expires_at   = clock_timestamp() + p_lease,
               claimed_generation = q.generation,
               claimed_hash       = null,
               started_at         = clock_timestamp()
          from due d
         where q.job_id = d.job_id
        returning 1
    )
    select count(*) from leased
$$;

comment on function evervec.lease_jobs(bigint, interval, uuid, integer[]) is
$$Internal. Leases up to p_limit due jobs of the given sources under one token; returns their number.$$;

revoke execute on function evervec.lease_jobs(bigint, interval, uuid, integer[]) from public;
