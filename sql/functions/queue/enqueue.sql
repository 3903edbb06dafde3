-- enqueue: queues rows that somebody asks for, beside those that triggers notice; or a whole source, as one task.
--
-- A row that is queued already keeps its job. Whatever its text: what has a vector of the present text and model is settled as
-- unchanged, at no cost.
-- Locks:  rows of processing_queue in (source_id, task_type, row_key) order.
-- Raises: VE101 unknown source · VE111 a manual source · VE202 not a key · VE302 bad operation, priority, metadata or choice of rows ·
--         VE303 a key too long · VE213 row-level security applies to the caller
create or replace function evervec.enqueue(
    p_source       text,
    p_row_keys     jsonb[],
    p_operation    text default 'update',
    p_priority     integer default null,
    p_triggered_by text default 'api',
    p_metadata     jsonb default '{}'
)
returns setof bigint
language plpgsql security definer
set search_path from current
as $$
declare
    v_source   evervec.source := evervec.source_named(p_source);
    v_priority integer := evervec.operation_priority(p_operation, p_priority);
begin
    perform evervec.check_sees_all(v_source);
    perform evervec.check_request(v_priority, p_metadata, 'p_metadata');
    perform evervec.check_option(format('the storage of "%s", for the queue,', v_source.name), v_source.storage, array['table', 'column']);
    return query
    select u.job_id
      from unnest(evervec.queue_keys(
        v_source, evervec.checked_keys(v_source, p_row_keys), v_priority,
        p_metadata || jsonb_build_object('operation', p_operation, 'triggered_by', p_triggered_by, 'triggered_at', now())))
        with ordinality as u (job_id, ordinality)
     order by u.ordinality;
end
$$;

comment on function evervec.enqueue(text, jsonb[], text, integer, text, jsonb) is
$$Queues rows of a source by their keys and returns one job id a key, in their order; see job_status. p_operation: create (priority 1), update (5), bulk (8) or retry (5); p_priority: another priority, 1 (first) to 10. p_triggered_by and p_metadata (a JSON object): kept with the job. A row that is queued already keeps its job. An unchanged text is not embedded again, a row that does not exist is settled as gone. Raises VE101, VE111, VE202, VE213, VE302, VE303.$$;

revoke execute on function evervec.enqueue(text, jsonb[], text, integer, text, jsonb) from public;

create or replace function evervec.enqueue(
    p_source       text,
    p_row_keys     text,
    p_operation    text default 'update',
    p_priority     integer default null,
    p_triggered_by text default 'api',
    p_metadata     jsonb default '{}'
)
returns setof bigint
language plpgsql security definer
set search_path from current
as $$
declare
    v_priority integer := evervec.operation_priority(p_operation, p_priority);
begin
    perform evervec.check_sees_all(evervec.source_named(p_source));
    if p_row_keys is null or p_row_keys not in ('all', 'missing') then
        raise exception using
            errcode = 'VE302',
            message = format('%s is neither all nor missing', coalesce(quote_literal(p_row_keys), 'NULL')),
            detail  = 'As a text, p_row_keys is all (every vector is made anew) or missing (rows without one).',
            hint    = 'Give single rows as an array: ARRAY[''{"id": 1}'']::jsonb[].';
    end if;
    return next evervec.add_task(
        case p_row_keys when 'all' then 'regenerate' else 'batch' end,
        case p_row_keys when 'all' then jsonb_build_object('source', p_source)
                        else jsonb_build_object('source', p_source, 'pass', 'backfill') end,
        v_priority, p_triggered_by, p_metadata || jsonb_build_object('operation', p_operation));
end
$$;

comment on function evervec.enqueue(text, text, text, integer, text, jsonb) is
$$The same for a whole source: p_row_keys 'all' throws every vector away and makes it anew (task regenerate, see reset): texts that the cache has are not paid for again. 'missing' finds the rows that have none (task batch, see backfill). Returns the id of that one job, which ends when its work is done. Raises VE101, VE111, VE202, VE213, VE302, VE303.$$;

revoke execute on function evervec.enqueue(text, text, text, integer, text, jsonb) from public;
