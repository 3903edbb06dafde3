-- feed_slice: the next slice of the pass of one source: looks at its rows, queues those that need it, remembers where it ended.
--
-- Locks:  rows of processing_queue in (source_id, task_type, row_key) order.
create or replace function evervec.feed_slice(
    p_source  evervec.source,
    p_limit   integer,
    p_by_hash boolean,
    p_all     boolean default false
)
returns bigint
language plpgsql
set search_path from current
as $$
declare
    v_examined bigint;
    v_queued   bigint;
    v_last     jsonb;
begin
    execute format(
        $sql$
        with slice as materialized (
            select x.row_key, x.state, x.ordinality from %s with ordinality as x
        ), queued as (
            insert into evervec.processing_queue (source_id, row_key, priority, metadata)
            select $3, s.row_key, 8, jsonb_build_object('operation', s.state, 'triggered_by', $4, 'triggered_at', now())
              from slice s
             where s.state in ('missing', 'stale', 'orphan') or $6
             order by s.row_key
            on conflict (source_id, task_type, row_key) do nothing
            returning 1
        )
        select (select count(*) from slice),
               (select count(*) from queued),
               (select s.row_key from slice s order by s.ordinality desc limit 1)
        $sql$,
        case p_source.pass_stage
            when 'rows' then format('evervec.%I($1, $2, $5)', 'slice_' || p_source.name)
            else format('evervec.%I($1, $2)', 'orphans_' || p_source.name)
        end)
    into v_examined, v_queued, v_last
    using p_source.pass_after, p_limit, p_source.source_id, p_source.pass_kind, p_by_hash, p_all;

    if v_examined > 0 then
        update evervec.source s
           set pass_after    = v_last,
               pass_examined = s.pass_examined + v_examined,
               pass_queued   = s.pass_queued + v_queued
         where s.source_id = p_source.source_id;
        return v_examined;
    end if;

    if p_source.pass_kind = 'reconcile' and p_source.pass_stage = 'rows' then
        update evervec.source s
           set pass_stage = 'vectors', pass_after = null
         where s.source_id = p_source.source_id;
    else
        update evervec.source s
           set pass_kind = null, pass_stage = null, pass_after = null
         where s.source_id = p_source.source_id;
    end if;
    -- The end of a stage has looked at no row, but there may be another stage or another source.
    return 1;
end
$$;

comment on function evervec.feed_slice(evervec.source, integer, boolean, boolean) is
$$Internal. One slice of a source's pass. p_by_hash: compare texts too; p_all: queue every row of the slice. Returns the rows looked at, at least 1.$$;

revoke execute on function evervec.feed_slice(evervec.source, integer, boolean, boolean) from public;
