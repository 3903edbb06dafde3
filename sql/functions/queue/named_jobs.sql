-- named_jobs: those of the given jobs that are due, locked, the most urgent first.
--
-- A job whose lease has expired twice in succession is left to due_jobs, which hands it out alone.
-- Locks:  these jobs, SKIP LOCKED.
create or replace function evervec.named_jobs(p_job_ids bigint[], p_limit bigint, p_sources integer[])
returns setof evervec.processing_queue
language sql
set search_path from current
as $$
    select q.*
      from evervec.processing_queue q
     where q.job_id = any (p_job_ids) and q.status = 'pending' and q.available_at <= now() and q.source_id = any (p_sources)
       and q.task_type = 'embed' and q.expiries < 2
     order by q.priority, q.job_id
     limit p_limit
       for update skip locked
$$;

comment on function evervec.named_jobs(bigint[], bigint, integer[]) is
$$Internal. Locks up to p_limit of the given jobs, as far as they are due rows of the given sources, to be leased in this transaction.$$;

revoke execute on function evervec.named_jobs(bigint[], bigint, integer[]) from public;
