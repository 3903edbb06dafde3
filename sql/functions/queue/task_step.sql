-- task_step: begins a task, or looks whether the work that it began is done.
--
-- Locks:  regenerate: those of reset, but waited for a tenth of a second only.
-- Raises: VE101 unknown source, and what the work itself raises · 55P03 the table is locked: later
create or replace function evervec.task_step(p_job evervec.processing_queue)
returns boolean
language plpgsql
set search_path from current
as $$
declare
    v_source evervec.source;
    v_keys   jsonb[];
begin
    if p_job.task_type = 'user_model_update' then
        perform evervec.update_user_embedding(p_job.task_data ->> 'user', p_job.task_data ->> 'source');
        return true;
    end if;

    v_source := evervec.source_named(p_job.task_data ->> 'source');
    if not p_job.metadata ? 'began' then
        if p_job.task_type = 'regenerate' and p_job.task_data -> 'fresh' = 'true' and evervec.cache_delete(v_source.name) > 0 then
            return false;
        elsif p_job.task_type = 'regenerate' then
            perform evervec.lock_relation(v_source.target, 'access exclusive', 1, '100 milliseconds');
            perform evervec.reset(v_source.name);
        elsif p_job.task_data ? 'row_keys' then
            v_keys := array(select k from jsonb_array_elements(p_job.task_data -> 'row_keys') k);
            perform evervec.queue_keys(v_source, v_keys, p_job.priority, jsonb_build_object(
                'operation', 'bulk', 'triggered_by', 'batch', 'triggered_at', now(), 'task', p_job.job_id));
        else
            perform evervec.start_pass(v_source.source_id, p_job.task_data ->> 'pass');
        end if;
        update evervec.processing_queue q
           set metadata = q.metadata || jsonb_build_object('began', now())
         where q.job_id = p_job.job_id;
        return false;
    end if;

    if v_source.pass_kind is not null and not p_job.task_data ? 'row_keys' then
        return false;
    elsif not p_job.task_data ? 'row_keys' and not p_job.metadata ? 'last' then
        p_job.metadata := p_job.metadata || jsonb_build_object('last', (select max(q.job_id) from evervec.processing_queue q));
        update evervec.processing_queue q set metadata = p_job.metadata where q.job_id = p_job.job_id;
    end if;
    return evervec.task_left(p_job, 1) = 0;
end
$$;

comment on function evervec.task_step(evervec.processing_queue) is
$$Internal. One step of a task; true when it is done. Raises VE101, 55P03, and whatever its work raises.$$;

revoke execute on function evervec.task_step(evervec.processing_queue) from public;
