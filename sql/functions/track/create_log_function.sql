-- create_log_function: one trigger function that appends to the log.
--
-- Locks:  none that matter: replacing a function locks no table.
create or replace function evervec.create_log_function(
    p_function text,
    p_changes  text,
    p_pinned   boolean default false
)
returns void
language plpgsql
set search_path from current
as $$
begin
    perform evervec.create_trigger_function(
        p_function, format('insert into evervec.change_log (source_id, operation, row_key) %s;', p_changes), p_pinned);
end
$$;

comment on function evervec.create_log_function(text, text, boolean) is
$$Internal. Creates or replaces a trigger function. p_changes: query for (source_id, operation, row_key); p_pinned: under pinned settings.$$;

revoke execute on function evervec.create_log_function(text, text, boolean) from public;
