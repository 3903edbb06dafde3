-- add_task: a job that is no row: checked, and put into the queue; one that waits already is not queued twice.
--
-- A type that nobody knows is queued too: workers bury it, where it can be seen and, after an upgrade, be retried.
-- Locks:  none that matter.
-- Raises: VE101 unknown source · VE111 a manual source · VE202 not a key · VE302 bad type, data or priority · VE303 a key too long
create or replace function evervec.add_task(
    p_task_type    text,
    p_task_data    jsonb,
    p_priority     integer,
    p_triggered_by text,
    p_metadata     jsonb
)
returns bigint
language plpgsql
set search_path from current
as $$
declare
    v_source evervec.source;
    v_wanted text;
    v_job_id bigint;
begin
    perform evervec.check_request(p_priority, p_task_data, 'p_task_data');
    perform evervec.check_request(p_priority, p_metadata, 'p_metadata');
    v_wanted := case
        when p_task_type is null or p_task_type !~ '\S' then 'A task has a type.'
        when p_task_type = 'embed' then 'Rows are queued with evervec.enqueue().'
        when p_task_type in ('regenerate', 'batch') and p_task_data ->> 'source' is null then 'Its data lack "source".'
        when p_task_type = 'user_model_update' and p_task_data ->> 'user' is null then 'Its data lack "user".'
        when p_task_type = 'batch' and jsonb_typeof(p_task_data -> 'row_keys') is distinct from 'array'
             and coalesce(p_task_data ->> 'pass', '') not in ('backfill', 'reconcile')
            then 'Its data have neither "row_keys", an array, nor "pass": "backfill" or "reconcile".'
    end;
    if v_wanted is not null then
        raise exception using
            errcode = 'VE302',
            message = format('%s with %s is not a task', coalesce(quote_literal(p_task_type), 'NULL'), left(p_task_data::text, 200)),
            detail  = v_wanted,
            hint    = 'For example: SELECT evervec.enqueue_task(''batch'', ''{"source": "film", "row_keys": [{"id": 1}]}'');';
    end if;

    if p_task_type in ('regenerate', 'batch', 'user_model_update') and p_task_data ->> 'source' is not null then
        v_source := evervec.source_named(p_task_data ->> 'source');
    end if;
    if p_task_type in ('regenerate', 'batch') then
        perform evervec.check_option(format('the storage of "%s", for a task,', v_source.name), v_source.storage, array['table', 'column']);
    end if;
    if p_task_type = 'batch' and p_task_data ? 'row_keys' then
        p_task_data := p_task_data || jsonb_build_object('row_keys', to_jsonb(evervec.checked_keys(
            v_source, array(select k from jsonb_array_elements(p_task_data -> 'row_keys') k))));
    end if;

    select q.job_id into v_job_id
      from evervec.processing_queue q
     where q.row_key is null and q.task_type = p_task_type and q.task_data = p_task_data and q.status = 'pending'
       and not q.metadata ? 'began'
     limit 1;
    if not found then
        insert into evervec.processing_queue (source_id, task_type, task_data, priority, metadata)
        values (v_source.source_id, p_task_type, p_task_data, p_priority,
                p_metadata || jsonb_build_object('triggered_by', p_triggered_by, 'triggered_at', now()))
        returning job_id into v_job_id;
    end if;
    return v_job_id;
end
$$;

comment on function evervec.add_task(text, jsonb, integer, text, jsonb) is
$$Internal. Queues a task; returns its job id, or that of the same task that waits already. Raises VE101, VE111, VE202, VE302, VE303.$$;

revoke execute on function evervec.add_task(text, jsonb, integer, text, jsonb) from public;
