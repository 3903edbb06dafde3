-- requeue_letters: open dead letters become jobs again, with all their attempts, and are thereby resolved.
--
-- A row that has a job meanwhile keeps that one. The caller has locked the letters, and seen that they are open, that their sources
-- are tracked and that their keys fit into the queue's index.
-- Locks:  rows of processing_queue in (source_id, task_type, row_key) order.
create or replace function evervec.requeue_letters(p_dead_letter_ids bigint[])
returns table (dead_letter_id bigint, job_id bigint)
language sql
set search_path from current
as $$
    with letter as materialized (
        -- Of several letters of a row one job comes; a task has no row, and stands for itself.
        select d.*, coalesce(d.row_key, to_jsonb(d.dead_letter_id)) as matter,
               d.metadata - '{began,last}'::text[] || jsonb_build_object('origin', 'dlq-retry', 'dead_letter_id', d.dead_letter_id) as data
          from evervec.dead_letter d
         where d.dead_letter_id = any (p_dead_letter_ids)
    ), queued as (
        insert into evervec.processing_queue as q (source_id, task_type, row_key, task_data, priority, metadata)
        select n.source_id, n.task_type, n.row_key, n.task_data, n.priority, n.data
          from (
            select distinct on (l.source_id, l.task_type, l.matter) l.*
              from letter l
             order by l.source_id, l.task_type, l.matter, l.dead_letter_id desc
          ) n
         order by n.source_id, n.task_type, n.row_key
        on conflict (source_id, task_type, row_key) do update
           set generation   = q.generation + 1,
               attempts     = 0,
               expiries     = 0,
               priority     = least(q.priority, excluded.priority),
               available_at = least(q.available_at, excluded.available_at),
               metadata     = q.metadata || excluded.metadata
        returning q.job_id, q.source_id, q.task_type, coalesce(q.row_key, q.metadata -> 'dead_letter_id') as matter
    )
    update evervec.dead_letter d
       set resolved_at = now(), resolved_by = 'retry', note = format('retried as job %s', q.job_id)
      from letter l
      join queued q
        on l.matter = q.matter and l.task_type = q.task_type and coalesce(l.source_id, 0) = coalesce(q.source_id, 0)
     where d.dead_letter_id = l.dead_letter_id
    returning d.dead_letter_id, q.job_id
$$;

comment on function evervec.requeue_letters(bigint[]) is
$$Internal. Queues dead letters anew and resolves them; returns the job of each.$$;

revoke execute on function evervec.requeue_letters(bigint[]) from public;
