-- fold_source: what a slice of the log says about one source becomes jobs, or a pass where rows cannot be named.
--
-- Locks:  rows of processing_queue in (source_id, task_type, row_key) order.
create or replace function evervec.fold_source(
    p_source       evervec.source,
    p_row_keys     jsonb[],
    p_changes      bigint[],
    p_metadata     jsonb[],
    p_dependencies jsonb[],
    p_unnamed      boolean
)
returns void
language plpgsql
set search_path from current
as $$
declare
    v_dependents jsonb[];
begin
    if p_row_keys is not null then
        perform evervec.queue_rows(p_source, p_row_keys, p_changes, evervec.row_priorities(p_source, p_row_keys), p_metadata);
    end if;
    if p_dependencies is not null then
        v_dependents := evervec.dependents(p_source, p_dependencies);
        if v_dependents is null then
            p_unnamed := true;
        elsif cardinality(v_dependents) > 0 then
            v_dependents := array(select distinct d from unnest(v_dependents) d);
            perform evervec.queue_rows(
                p_source, v_dependents, array_fill(1::bigint, array[cardinality(v_dependents)]),
                evervec.row_priorities(p_source, v_dependents),
                array_fill(jsonb_build_object('operation', 'R', 'triggered_by', 'dependency', 'triggered_at', now()),
                           array[cardinality(v_dependents)]));
        end if;
    end if;
    if p_unnamed then
        perform evervec.start_pass(p_source.source_id, 'reconcile');
    end if;
end
$$;

comment on function evervec.fold_source(evervec.source, jsonb[], bigint[], jsonb[], jsonb[], boolean) is
$$Internal. Queues the rows of one source that changed, or that changed rows of other tables lead to; p_unnamed starts a pass.$$;

revoke execute on function evervec.fold_source(evervec.source, jsonb[], bigint[], jsonb[], jsonb[], boolean) from public;
