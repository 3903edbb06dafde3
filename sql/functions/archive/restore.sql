-- restore: queues archived rows to be embedded again, a slice of them.
--
-- The row is marked as well: whatever becomes of its job, a backfill or reconcile finds it. Its words stay meanwhile.
-- Locks:  those of archive; rows of processing_queue in (source_id, task_type, row_key) order.
-- Raises: VE101 unknown source · VE104 p_where is no condition over the row · VE110 not permitted · VE111 a manual source ·
--         VE213 row-level security applies to the caller · VE601 bad limit
create or replace function evervec.restore(
    p_source text,
    p_where  text default null,
    p_limit  integer default 10000
)
returns bigint
language plpgsql security definer
set search_path from current
as $$
declare
    v_source evervec.source := evervec.source_named(p_source);
    v_keys   jsonb[];
begin
    perform evervec.check_sees_all(v_source);
    perform evervec.check_option(format('the storage of "%s", to restore rows,', v_source.name), v_source.storage, array['table', 'column']);
    perform evervec.check_slice(p_limit);
    if p_where is not null then
        perform evervec.check_owns(v_source, 'p_where');
        perform evervec.analyse_sql(v_source.relation, 'p_where', format(E'(%s\n) is true', p_where));
    end if;
    execute format('select array_agg(k) from evervec.%I($1, ''true'', $2, true) k', 'archive_' || v_source.name)
    into v_keys
    using case when p_where is null then 'true' else evervec.over_row(v_source.relation, p_where) end, p_limit::bigint;
    if v_keys is null then
        return 0;
    end if;
    perform evervec.queue_rows(
        v_source, v_keys, array_fill(0::bigint, array[cardinality(v_keys)]), array_fill(8::smallint, array[cardinality(v_keys)]),
        array_fill(jsonb_build_object('operation', 'restore', 'triggered_by', 'restore', 'triggered_at', now()), array[cardinality(v_keys)]));
    return cardinality(v_keys);
end
$$;

comment on function evervec.restore(text, text, integer) is
$$Queues archived rows of a source to be embedded again, up to p_limit (default 10,000), at priority 8, and returns how many; call it until 0. Texts that the cache has are not paid for again. p_where: a condition over the row, for those who have the rights of the table's owner; default: all that are archived. What the source's retention still calls settled is archived again in its turn: change that first (see retrack). Raises VE101, VE104, VE110, VE111, VE213, VE601.$$;

revoke execute on function evervec.restore(text, text, integer) from public;
