-- fail_jobs: what a worker says when jobs could not be embedded; retry_policy decides what follows.
--
-- Locks:  the jobs in (source_id, task_type, row_key) order.
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
    v_policy evervec.retry_policy;
begin
    select * into v_policy from evervec.retry_policy p where p.error_class = p_error_class;
    if not found then
        raise exception using
            errcode = 'VE301',
            message = format('error class "%s" is not known', p_error_class),
            detail  = (select 'Classes: ' || string_agg(p.error_class, ', ' order by p.error_class) || '.' from evervec.retry_policy p),
            hint    = 'Add a row to evervec.retry_policy, or use one of these.';
    end if;

    return query
    with leased as materialized (
        select q.job_id,
               q.attempts + v_policy.costs_attempt::integer as attempts,
               q.failures || jsonb_build_object(
                   'at', clock_timestamp(), 'class', p_error_class, 'status', p_status_code, 'message', left(p_message, 1000)
               ) as failures
          from evervec.processing_queue q
         where q.job_id = any (p_job_ids) and q.lease_token = p_lease_token and q.status = 'processing'
         order by q.source_id, q.task_type, q.row_key
           for update
    ), dead as (
        delete from evervec.processing_queue q
         using leased l
         where q.job_id = l.job_id and l.attempts >= v_policy.max_attempts
        returning q.*, l.attempts as made, l.failures as history
    ), buried as (
        insert into evervec.dead_letter
            (job_id, source_id, task_type, row_key, task_data, priority, error_class, status_code, message, failures, metadata,
             first_failed_at)
        select d.job_id, d.source_id, d.task_type, d.row_key, d.task_data, d.priority, p_error_class, p_status_code, p_message,
               d.history, d.metadata, (d.history #>> '{0,at}')::timestamptz
          from dead d
    ), retried as (
        update evervec.processing_queue q
           set status           = 'pending',
               lease_token      = null,
               lease_expires_at = null,
               attempts         = l.attempts,
               -- A class that never gives up would grow its history for ever.
               failures         = case when jsonb_array_length(l.failures) > 20 then l.failures - 0 else l.failures end,
               last_error       = left(p_message, 1000),
               available_at     = clock_timestamp() + coalesce(p_retry_after, evervec.retry_delay(v_policy, l.attempts))
          from leased l
         where q.job_id = l.job_id and (l.attempts >= v_policy.max_attempts) is not true
        returning q.job_id, q.available_at
    )
    select u.job_id,
           case when r.job_id is not null then 'retry' when d.job_id is not null then 'dead' else 'lost' end,
           r.available_at
      from unnest(p_job_ids) as u (job_id)
      left join retried r on r.job_id = u.job_id
      left join dead d on d.job_id = u.job_id;
end
$$;

comment on function evervec.fail_jobs(uuid, bigint[], text, text, integer, interval) is
$$Reports failed jobs. p_error_class: timeout, network, rate_limit, server_error, auth, quota, bad_input, not_found, invalid_response or render; evervec.retry_policy says what each means. p_status_code: of HTTP. p_retry_after: overrides the policy's delay. outcome: retry (at available_at), dead (moved to the dead letters) or lost (the lease is no longer yours). Raises VE301.$$;

revoke execute on function evervec.fail_jobs(uuid, bigint[], text, text, integer, interval) from public;
