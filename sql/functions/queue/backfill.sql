-- backfill: starts a pass that finds rows without a vector of the source's model and queues them.
--
-- The pass runs in slices as workers claim, whenever the queue runs low, so that neither the queue nor a transaction grows with
-- the table, and fresh changes are never behind it. Its jobs have priority 8.
-- Locks:  ROW EXCLUSIVE on evervec.source.
-- Raises: VE101 unknown source · VE111 a manual source
create or replace function evervec.backfill(p_source text)
returns bigint
language plpgsql security definer
set search_path from current
as $$
declare
    v_source evervec.source := evervec.source_named(p_source);
begin
    perform evervec.check_option(format('the storage of "%s", for a backfill,', v_source.name), v_source.storage, array['table', 'column']);
    perform evervec.start_pass(v_source.source_id, 'backfill');
    return evervec.estimated_rows(v_source.relation);
end
$$;

comment on function evervec.backfill(text) is
$$Starts, or starts anew, the search for rows without a vector; workers do the rest. Returns the planner's estimate of the table's rows. Raises VE101, VE111.$$;

revoke execute on function evervec.backfill(text) from public;
