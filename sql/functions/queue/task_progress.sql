-- task_progress: how far the work is that a task started; an estimate where a pass walks over a table.
--
-- Locks:  none.
create or replace function evervec.task_progress(p_job evervec.processing_queue)
returns real
language plpgsql volatile
set search_path from current
as $$
declare
    v_source evervec.source;
    v_total  numeric;
    v_past   numeric;
begin
    if not p_job.metadata ? 'began' then
        return 0;
    end if;
    select * into v_source from evervec.source s where s.source_id = p_job.source_id;
    if p_job.task_data ? 'row_keys' then
        v_total := jsonb_array_length(p_job.task_data -> 'row_keys');
        v_past := v_total;
    else
        v_past := v_source.pass_examined;
        v_total := greatest(v_past, case when v_source.pass_kind is not null then evervec.estimated_rows(v_source.relation) end);
    end if;
    -- 1 is for what is done.
    return least(greatest(coalesce((v_past - evervec.task_left(p_job)) / nullif(v_total, 0), 0), 0), 0.99);
end
$$;

comment on function evervec.task_progress(evervec.processing_queue) is
$$Internal. The share of a task's work that is done, from 0 to 0.99.$$;

revoke execute on function evervec.task_progress(evervec.processing_queue) from public;
