-- bury_jobs: moves jobs that gave up to the dead letters, with everything that is known about them.
--
-- Locks:  the jobs, which the caller has locked or leased in this transaction.
create or replace function evervec.bury_jobs(
    p_job_ids     bigint[],
    p_error_class text,
    p_message     text,
    p_status_code integer default null
)
returns bigint
language sql
set search_path from current
as $$
    with dead as (
        delete from evervec.processing_queue q
         where q.job_id = any (p_job_ids)
        returning q.*
    ), buried as (
        insert into evervec.dead_letter
            (job_id, source_id, task_type, row_key, task_data, priority, attempts, error_class, status_code, message, failures,
             metadata, created_at, first_failed_at, last_failed_at)
        select d.job_id, d.source_id, d.task_type, d.row_key, d.task_data, d.priority, d.attempts, p_error_class, p_status_code,
               left(p_message, 10000), d.failures, d.metadata, d.created_at,
               coalesce((d.failures #>> '{0,at}')::timestamptz, clock_timestamp()),
               coalesce((d.failures #>> '{-1,at}')::timestamptz, clock_timestamp())
          from dead d
         order by d.job_id
        returning 1
    )
    select count(*) from buried
$$;

comment on function evervec.bury_jobs(bigint[], text, text, integer) is
$$Internal. Moves jobs to the dead letters, for an error of some class; returns how many.$$;

revoke execute on function evervec.bury_jobs(bigint[], text, text, integer) from public;
