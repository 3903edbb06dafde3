-- run_task: one step of a leased task, in a subtransaction of its own; settles the job.
--
-- The job of a task that started other jobs stays, looked at every two seconds, until they are done.
-- Locks:  those of task_step.
create or replace function evervec.run_task(p_job evervec.processing_queue)
returns text
language plpgsql
set search_path from current
as $$
declare
    v_done  boolean := false;
    v_class text;
    v_error text;
    v_dead  bigint;
begin
    if p_job.task_type <> all (array['regenerate', 'batch', 'user_model_update']) then
        v_class := 'bad_input';
        v_error := format('Task type "%s" is not known to this version.', p_job.task_type);
    else
        begin
            v_done := evervec.task_step(p_job);
        exception
            when lock_not_available then
                null;
            when others then
                v_error := sqlerrm;
                v_class := case when sqlstate like 'VE%' then 'bad_input' else 'server_error' end;
        end;
    end if;

    if v_class = 'bad_input' then
        -- Another attempt would end in the same way, whatever the policy for such rows is.
        update evervec.processing_queue q
           set attempts = q.attempts + 1, failures = evervec.with_failure(q.failures, v_class, v_error, null)
         where q.job_id = p_job.job_id;
        perform evervec.bury_jobs(array[p_job.job_id], v_class, v_error);
        return 'failed';
    elsif v_class is not null then
        perform evervec.fail_jobs(p_job.lease_token, array[p_job.job_id], v_class, v_error);
        return 'failed';
    elsif not v_done then
        update evervec.processing_queue q
           set status = 'pending', lease_token = null, lease_expires_at = null, expiries = 0,
               available_at = clock_timestamp() + interval '2 seconds'
         where q.job_id = p_job.job_id;
        return null;
    end if;
    select count(*) into v_dead
      from evervec.dead_letter d
     where d.source_id = p_job.source_id and d.resolved_at is null and d.last_failed_at >= (p_job.metadata ->> 'began')::timestamptz;
    perform evervec.finish_jobs(array[p_job.job_id], array['completed'], array[case when v_dead > 0 then format(
        '%s rows of its source gave up meanwhile', v_dead) end]);
    return 'done';
end
$$;

comment on function evervec.run_task(evervec.processing_queue) is
$$Internal. Runs one step of a leased task and settles it; returns done, failed or, while it goes on, NULL.$$;

revoke execute on function evervec.run_task(evervec.processing_queue) from public;
