-- fail_jobs: what a worker says when jobs could not be embedded; retry_policy decides what follows.
--
-- Locks:  the row of evervec.model where the class pauses it, then the jobs in (source_id, task_type, row_key) order.
-- Raises: VE301 unknown error class
create or replace function evervec.fail_jobs(
    p_lease_token uuid,
    p_job_ids     bigint[],
    p_error_class text,
    p_message     text,
    p_status_code integer default null,
    p_retry_after interval default null
)
returns table (job_id bigint, outcome text, available_at timestamptz)
language plpgsql security definer
set search_path from current
as $$
declare
    v_jobs record;
begin
    if not exists (select from evervec.retry_policy p where p.error_class = p_error_class and p.source_id is null) then
        raise exception using
            errcode = 'VE301',
            message = format('error class "%s" is not known', p_error_class),
            detail  = (select 'Classes: ' || string_agg(p.error_class, ', ' order by p.error_class) || '.'
                         from evervec.retry_policy p where p.source_id is null),
            hint    = 'Add a row to evervec.retry_policy, or use one of these.';
    end if;

    perform evervec.hold_model(s.model_id, max(clock_timestamp() + coalesce(p_retry_after, evervec.retry_delay(p, q.attempts + 1))),
                               p_error_class, p_message)
       from evervec.processing_queue q
       join evervec.source s using (source_id)
      cross join lateral evervec.policy_of(q.source_id, p_error_class) p
      where q.job_id = any (p_job_ids) and q.lease_token = p_lease_token and p.pauses_model
      group by s.model_id
      order by s.model_id;

    with leased as materialized (
        select q.job_id, q.source_id, q.attempts, q.failures
          from evervec.processing_queue q
         where q.job_id = any (p_job_ids) and q.lease_token = p_lease_token
         order by q.source_id, q.task_type, q.row_key
           for update
    ), judged as materialized (
        select l.job_id, p.max_attempts, p.costs_attempt, l.attempts + p.costs_attempt::integer as attempts,
               evervec.with_failure(l.failures, p_error_class, p_message, p_status_code) as failures,
               clock_timestamp() + coalesce(p_retry_after, evervec.retry_delay(p, l.attempts + p.costs_attempt::integer)) as due
          from leased l
         cross join lateral evervec.policy_of(l.source_id, p_error_class) p
    ), failed as (
        update evervec.processing_queue q
           set status           = 'pending',
               lease_token      = null,
               lease_expires_at = null,
               expiries         = 0,
               attempts         = j.attempts,
               -- A retry stands behind fresh work of its kind.
               priority         = least(q.priority + j.costs_attempt::integer, 10),
               failures         = j.failures,
               last_error       = left(p_message, 1000),
               available_at     = j.due
          from judged j
         where q.job_id = j.job_id
        returning q.job_id, j.due, coalesce(j.attempts >= j.max_attempts, false) as dead
    )
    select array_agg(f.job_id) as job_ids, array_agg(f.job_id) filter (where f.dead) as dead, array_agg(f.due) as dues
      into v_jobs
      from failed f;

    perform evervec.bury_jobs(v_jobs.dead, p_error_class, p_message, p_status_code);
    return query
    select u.job_id,
           case when f.job_id is null then 'lost' when f.job_id = any (v_jobs.dead) then 'dead' else 'retry' end,
           case when (f.job_id = any (v_jobs.dead)) is not true then f.due end
      from unnest(p_job_ids) as u (job_id)
      left join unnest(v_jobs.job_ids, v_jobs.dues) as f (job_id, due) on f.job_id = u.job_id;
end
$$;

comment on function evervec.fail_jobs(uuid, bigint[], text, text, integer, interval) is
$$Reports failed jobs. p_error_class: timeout, network, rate_limit, server_error, auth, quota, bad_input, not_found, invalid_response, render or database (it refuses to store the vector); evervec.retry_policy says what each means. auth, quota and rate_limit also pause the model, so that one wrong key buries nothing. p_status_code: of HTTP. p_retry_after: what the provider asked for, instead of the policy's delay. outcome: retry (at available_at), dead (moved to the dead letters) or lost (the lease is no longer yours). Raises VE301.$$;

revoke execute on function evervec.fail_jobs(uuid, bigint[], text, text, integer, interval) from public;
