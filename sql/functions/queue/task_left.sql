-- task_left: how many jobs of those that a task has started are still in the queue, counted up to p_most.
--
-- Those of a pass have higher ids than the task; metadata.last is the highest that there was when the pass was over.
-- Locks:  none.
create or replace function evervec.task_left(p_job evervec.processing_queue, p_most bigint default null)
returns bigint
language plpgsql stable
set search_path from current
as $$
begin
    if p_job.task_data ? 'row_keys' then
        return (
            select count(*)
              from (select
                      from jsonb_array_elements(p_job.task_data -> 'row_keys') as k (row_key)
                      join evervec.processing_queue q
                        on q.source_id = p_job.source_id and q.task_type = 'embed' and q.row_key = k.row_key
                     limit p_most) l);
    end if;
    return (
        select count(*)
          from (select
                  from evervec.processing_queue q
                 where q.source_id = p_job.source_id and q.task_type = 'embed' and q.job_id > p_job.job_id
                   and q.job_id <= coalesce((p_job.metadata ->> 'last')::bigint, 9223372036854775807)
                 limit p_most) l);
end
$$;

comment on function evervec.task_left(evervec.processing_queue, bigint) is
$$Internal. The number of jobs that a task has started and that are not done; at most p_most.$$;

revoke execute on function evervec.task_left(evervec.processing_queue, bigint) from public;
