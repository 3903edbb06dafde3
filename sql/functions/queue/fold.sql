-- fold: moves one slice of change_log into processing_queue, one job a row however often it changed.
--
-- One fold at a time (a transaction-level advisory lock; the others have nothing to wait for). A slice begins where the last one
-- ended: scanned by TID range, it never walks over the dead rows of earlier slices, which a held snapshot may keep from being
-- vacuumed. What is committed late, or written into space that vacuum gave back, lies before that point; it is found by a scan
-- from the first block, made with each slice and, when dead rows make it slow, only so often that it costs a twentieth of the time.
-- While there is more than a slice, the last blocks are folded too, so that an urgent row does not wait behind a bulk update.
--
-- A change without a key (TRUNCATE, a renamed key) starts a reconciling pass. Changes of sources that are no longer tracked are dropped.
-- Locks:  rows of processing_queue in (source_id, task_type, row_key) order.
create or replace function evervec.fold(p_limit integer default 10000)
returns bigint
language plpgsql
set search_path from current
as $$
declare
    -- Blocks, and more rows than they can hold.
    c_tail    constant integer := 16;
    c_most    constant integer := 5000;
    v_state   evervec.fold_state;
    v_blocks  bigint := pg_relation_size('evervec.change_log') / current_setting('block_size')::bigint;
    v_from    bigint;
    v_rows    tid[];
    v_more    tid[];
    v_full    boolean;
    v_began   timestamptz;
    v_cost    interval;
    v_next    bigint;
    v_change  record;
begin
    if not pg_try_advisory_xact_lock(evervec.lock_key('fold')) then
        return 0;
    end if;
    select * into v_state from evervec.fold_state;

    v_from := least(v_state.next_block, greatest(v_blocks - 1, 0));
    v_rows := evervec.log_slice(v_from, p_limit);
    v_next := coalesce(evervec.tid_block(v_rows[cardinality(v_rows)]), v_from);

    v_full := cardinality(v_rows) >= p_limit;
    if v_full then
        v_rows := v_rows || evervec.log_slice(greatest(v_next + 1, v_blocks - c_tail), c_most);
    end if;
    if v_from > 0 and v_state.next_full_at <= clock_timestamp() then
        v_began := clock_timestamp();
        v_more := evervec.log_slice(0, case when v_full then p_limit / 5 else p_limit end, v_from);
        v_cost := clock_timestamp() - v_began;
        v_rows := v_rows || v_more;
        if not v_full and cardinality(v_more) >= p_limit then
            v_next := evervec.tid_block(v_more[cardinality(v_more)]);
        elsif v_cost > interval '5 milliseconds' then
            v_state.next_full_at := clock_timestamp() + 20 * v_cost;
        end if;
    end if;

    if v_next <> v_state.next_block or v_state.next_full_at > clock_timestamp() then
        update evervec.fold_state
           set next_block = v_next, next_full_at = v_state.next_full_at
         where (next_block, next_full_at) is distinct from (v_next, v_state.next_full_at);
    end if;
    if cardinality(v_rows) = 0 then
        return 0;
    end if;

    for v_change in
        with taken as materialized (
            delete from evervec.change_log l
             where l.ctid = any (v_rows)
            returning l.source_id, l.row_key, l.operation, l.logged_at
        ), changed as (
            select t.source_id, t.row_key, count(*) as changes,
                   jsonb_build_object('operation', (array_agg(t.operation order by t.logged_at desc))[1],
                                      'triggered_by', 'trigger', 'triggered_at', min(t.logged_at)) as metadata
              from taken t
             where t.row_key is not null and t.operation <> 'R'
             group by t.source_id, t.row_key
        ), named as (
            select c.source_id, array_agg(c.row_key order by c.row_key) as row_keys, array_agg(c.changes order by c.row_key) as changes,
                   array_agg(c.metadata order by c.row_key) as metadata
              from changed c
             group by c.source_id
        ), other as (
            select t.source_id, array_agg(distinct t.row_key) filter (where t.row_key is not null) as dependencies,
                   bool_or(t.row_key is null) as unnamed
              from taken t
             where t.operation = 'R' or t.row_key is null
             group by t.source_id
        )
        select s as source, n.row_keys, n.changes, n.metadata, o.dependencies, coalesce(o.unnamed, false) as unnamed
          from named n
          full join other o using (source_id)
          join evervec.source s using (source_id)
         order by s.source_id
    loop
        perform evervec.fold_source(v_change.source, v_change.row_keys, v_change.changes, v_change.metadata,
                                    v_change.dependencies, v_change.unnamed);
    end loop;
    return cardinality(v_rows);
end
$$;

comment on function evervec.fold(integer) is
$$Internal. Moves up to about p_limit changes (default 10,000, and the newest ones) from change_log into processing_queue; returns how many, 0 when there are none or another session is folding.$$;

revoke execute on function evervec.fold(integer) from public;
