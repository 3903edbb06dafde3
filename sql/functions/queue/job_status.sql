-- job_status: what became of a job: in the queue, in its receipt (kept for 24 hours), or among the dead letters.
--
-- Locks:  none.
-- needs: functions/access/is_confined.sql
-- needs: functions/queue/policy_of.sql
-- needs: functions/queue/task_progress.sql
create or replace function evervec.job_status(p_job_id bigint)
returns table (
    job_id       bigint,
    state        text,
    task_type    text,
    source       text,
    row_key      jsonb,
    progress     real,
    attempt      integer,
    max_attempts integer,
    next_try_at  timestamptz,
    last_error   text,
    queued_at    timestamptz,
    started_at   timestamptz,
    ended_at     timestamptz,
    metadata     jsonb,
    note         text
)
language sql volatile security definer
set search_path from current
as $$
    with known as (
        select 1 as place,
               case when q.status = 'processing' or q.metadata ? 'began' then 'processing'
                    when q.attempts > 0 or q.failures <> '[]' then 'retrying'
                    else 'queued' end as state,
               q.task_type, q.source_id, q.row_key,
               case when q.task_type = 'embed' then 0 else evervec.task_progress(q) end as progress,
               q.attempts + (q.status = 'processing')::integer as attempt,
               (evervec.policy_of(q.source_id, coalesce(q.failures #>> '{-1,class}', 'server_error'))).max_attempts,
               case when q.status = 'pending' then q.available_at end as next_try_at,
               q.last_error, q.created_at as queued_at, q.started_at, null::timestamptz as ended_at, q.metadata, null::text as note
          from evervec.processing_queue q
         where q.job_id = p_job_id
        union all
        select 2, case when r.outcome in ('superseded', 'gone') then r.outcome else 'completed' end,
               r.task_type, r.source_id, r.row_key, 1, r.attempts + 1, null, null, null, r.created_at, r.started_at, r.finished_at,
               r.metadata,
               coalesce(r.note, case r.outcome
                   when 'unchanged' then 'unchanged: the row has a vector of its present text already'
                   when 'empty' then 'empty: the row has no text, and so no vector' end)
          from evervec.job_receipt r
         where r.job_id = p_job_id
        union all
        select * from (
            select 3, 'dead', d.task_type, d.source_id, d.row_key, null::real, d.attempts, d.attempts, null::timestamptz, d.message,
                   d.created_at, null::timestamptz, d.last_failed_at, d.metadata,
                   case when d.resolved_at is not null then format('resolved by %s', concat_ws(': ', d.resolved_by, d.note)) end
              from evervec.dead_letter d
             where d.job_id = p_job_id
             order by d.dead_letter_id desc
             limit 1) l
    )
    select p_job_id, coalesce(k.state, 'unknown'), k.task_type, s.name, k.row_key, k.progress::real, k.attempt::integer,
           k.max_attempts::integer, k.next_try_at, k.last_error, k.queued_at, k.started_at, k.ended_at, k.metadata, k.note
      from (values (1)) as one (row)
      left join (
        select *
          from known n
         -- Whoever may not see every row is told of none.
         where not coalesce((select evervec.is_confined(s.relation) from evervec.source s where s.source_id = n.source_id), false)
         order by place
         limit 1) k on true
      left join evervec.source s on s.source_id = k.source_id
$$;

comment on function evervec.job_status(bigint) is
$$One row about a job. state: queued, processing, retrying (after an error, at next_try_at), completed (note says when no call was needed), superseded (something else took its place), gone (the row does not exist), dead (see dead_letters), unknown (never there, or done more than 24 hours ago; or of a table whose row-level security applies to you). progress: 0 to 1; of a task that started other jobs, how far they are. attempt of max_attempts: by the policy of the last error; NULL never gives up. A job lives on while its row changes.$$;

revoke execute on function evervec.job_status(bigint) from public;
