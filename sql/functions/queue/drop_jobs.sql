-- drop_jobs: takes the jobs of a source out of the queue, because something else does their work or nothing is left to do.
--
-- Locks:  the jobs.
create or replace function evervec.drop_jobs(p_source_id integer, p_outcome text, p_tasks boolean)
returns void
language sql
set search_path from current
as $$
    with dropped as (
        delete from evervec.processing_queue q
         where q.source_id = p_source_id and (p_tasks or q.task_type = 'embed')
        returning q.*
    )
    insert into evervec.job_receipt
        (job_id, source_id, task_type, row_key, outcome, attempts, generation, metadata, created_at, started_at)
    select d.job_id, d.source_id, d.task_type, d.row_key, p_outcome, d.attempts, d.generation, d.metadata, d.created_at, d.started_at
      from dropped d
$$;

comment on function evervec.drop_jobs(integer, text, boolean) is
$$Internal. Removes the jobs of a source, with receipts: its rows, and, where p_tasks says so, its tasks.$$;

revoke execute on function evervec.drop_jobs(integer, text, boolean) from public;
