-- queue_rows: one job a row: a row that has one already counts one generation more.
--
-- A key too long for the queue's index goes to the dead letters, alone.
-- Locks:  rows of processing_queue in (source_id, task_type, row_key) order.
create or replace function evervec.queue_rows(
    p_source     evervec.source,
    p_row_keys   jsonb[],
    p_changes    bigint[],
    p_priorities smallint[],
    p_metadata   jsonb[]
)
returns bigint
language sql
set search_path from current
as $$
    with given as materialized (
        select u.row_key, u.changes, coalesce(u.priority, p_source.priority) as priority, u.metadata,
               octet_length(u.row_key::text) > 2000 as too_long
          from unnest(p_row_keys, p_changes, p_priorities, p_metadata) as u (row_key, changes, priority, metadata)
    ), buried as (
        insert into evervec.dead_letter
            (source_id, task_type, row_key, priority, error_class, message, metadata, first_failed_at)
        select p_source.source_id, 'embed', g.row_key, g.priority, 'bad_input',
               'The key is longer than 2,000 bytes, too long for an index of the queue.', g.metadata, now()
          from given g
         where g.too_long
           and not exists (select from evervec.dead_letter d
                            where d.source_id = p_source.source_id and d.row_key = g.row_key and d.resolved_at is null)
    ), queued as (
        insert into evervec.processing_queue as q (source_id, row_key, priority, generation, metadata)
        select p_source.source_id, g.row_key, g.priority, greatest(g.changes, 1), g.metadata
          from given g
         where not g.too_long
           -- A pass (no changes) leaves a job alone that is there already.
           and (g.changes > 0 or not exists (
                select from evervec.processing_queue j
                 where j.source_id = p_source.source_id and j.task_type = 'embed' and j.row_key = g.row_key))
         order by g.row_key
        on conflict (source_id, task_type, row_key) do update
           set generation = q.generation + excluded.generation,
               priority   = least(q.priority, excluded.priority)
        returning 1
    )
    select count(*) from queued
$$;

comment on function evervec.queue_rows(evervec.source, jsonb[], bigint[], smallint[], jsonb[]) is
$$Internal. Queues rows for embedding. p_priorities: NULL members take the source's. Returns the number of jobs made or counted up.$$;

revoke execute on function evervec.queue_rows(evervec.source, jsonb[], bigint[], smallint[], jsonb[]) from public;
