-- queue_keys: one job a key that somebody asks for; a row that has a job already keeps it, and it is due at once.
--
-- Locks:  rows of processing_queue in (source_id, task_type, row_key) order.
create or replace function evervec.queue_keys(
    p_source   evervec.source,
    p_row_keys jsonb[],
    p_priority integer,
    p_metadata jsonb
)
returns bigint[]
language sql
set search_path from current
as $$
    with queued as (
        insert into evervec.processing_queue as q (source_id, row_key, priority, metadata)
        select p_source.source_id, u.row_key, p_priority, p_metadata
          from (select distinct k.row_key from unnest(p_row_keys) as k (row_key)) u
         order by u.row_key
        on conflict (source_id, task_type, row_key) do update
           set generation   = q.generation + 1,
               priority     = least(q.priority, excluded.priority),
               available_at = least(q.available_at, excluded.available_at),
               metadata     = q.metadata || excluded.metadata
        returning q.job_id, q.row_key
    )
    select coalesce(array_agg(q.job_id order by k.ordinality), '{}')
      from unnest(p_row_keys) with ordinality as k (row_key, ordinality)
      join queued q on q.row_key = k.row_key
$$;

comment on function evervec.queue_keys(evervec.source, jsonb[], integer, jsonb) is
$$Internal. Queues rows by their canonical keys; returns a job id each, in the same order.$$;

revoke execute on function evervec.queue_keys(evervec.source, jsonb[], integer, jsonb) from public;
