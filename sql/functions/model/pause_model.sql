-- pause_model: sends nothing to a model for a while: its budget is spent, its provider is being moved.
--
-- Locks:  the row of evervec.model.
-- Raises: VE108 unknown model
create or replace function evervec.pause_model(
    p_model  text,
    p_until  timestamptz default 'infinity',
    p_reason text default null
)
returns void
language plpgsql security definer
set search_path from current
as $$
begin
    perform evervec.model_named(p_model);
    update evervec.model m
       set paused_at = clock_timestamp(), paused_until = coalesce(p_until, 'infinity'), pause_reason = p_reason, pause_class = null
     where m.name = p_model;
end
$$;

comment on function evervec.pause_model(text, timestamptz, text) is
$$Stops the work on all sources of a model until p_until (default: until resume_model); changes are logged and queued meanwhile, what is claimed is completed. p_reason is shown by alerts. Raises VE108.$$;

revoke execute on function evervec.pause_model(text, timestamptz, text) from public;
