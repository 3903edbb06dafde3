-- resume_model: ends a pause of a model, by hand or by an error.
--
-- Jobs that wait because of that error are due at once: the key has been put in, the quota raised.
-- Locks:  the row of evervec.model; waiting jobs of its sources in (source_id, task_type, row_key) order, SKIP LOCKED.
-- Raises: VE108 unknown model
create or replace function evervec.resume_model(p_model text)
returns boolean
language plpgsql security definer
set search_path from current
as $$
declare
    v_model evervec.model := evervec.model_named(p_model);
begin
    select * into v_model from evervec.model m where m.model_id = v_model.model_id for no key update;
    update evervec.model m
       set paused_at = null, paused_until = null, pause_reason = null, pause_class = null
     where m.model_id = v_model.model_id and m.paused_until is not null;
    if v_model.pause_class is not null then
        with waiting as (
            select q.job_id
              from evervec.processing_queue q
             where q.status = 'pending' and q.available_at > clock_timestamp()
               and q.failures #>> '{-1,class}' = v_model.pause_class
               and q.source_id in (select s.source_id from evervec.source s where s.model_id = v_model.model_id)
             order by q.source_id, q.task_type, q.row_key
               for update skip locked
        )
        update evervec.processing_queue q set available_at = clock_timestamp() from waiting w where q.job_id = w.job_id;
    end if;
    return coalesce(v_model.paused_until > clock_timestamp(), false);
end
$$;

comment on function evervec.resume_model(text) is
$$Takes the work on all sources of a model up again; jobs that an error of the same kind put off are due at once. Returns whether it was paused. Raises VE108.$$;

revoke execute on function evervec.resume_model(text) from public;
