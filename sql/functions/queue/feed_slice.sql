-- feed_slice: the next slice of the pass of one source: looks at its rows, queues those that need it, remembers where it ended.
--
-- Stages: rows (are there vectors, and the right ones?), then, when reconciling, vectors (are there rows?). Jobs of a pass have
-- priority 8, behind fresh changes.
-- Locks:  rows of processing_queue in (source_id, task_type, row_key) order.
create or replace function evervec.feed_slice(
    p_source     evervec.source,
    p_limit      integer,
    p_by_hash    boolean,
    p_all        boolean default false,
    out examined bigint,
    out missing  bigint,
    out stale    bigint,
    out orphaned bigint
)
language plpgsql
set search_path from current
as $$
declare
    v_keys  jsonb[];
    v_needy jsonb[];
begin
    loop
        execute format(
            $sql$
            select array_agg(x.row_key order by x.ordinality),
                   array_agg(x.row_key) filter (where x.state in ('missing', 'stale', 'orphan') or $4),
                   count(*) filter (where x.state = 'missing'),
                   count(*) filter (where x.state = 'stale'),
                   count(*) filter (where x.state = 'orphan')
              from %s with ordinality as x
            $sql$,
            case p_source.pass_stage
                when 'rows' then format('evervec.%I($1, $2, $3)', 'slice_' || p_source.name)
                else format('evervec.%I($1, $2)', 'orphans_' || p_source.name)
            end)
        into v_keys, v_needy, missing, stale, orphaned
        using p_source.pass_after, p_limit, p_by_hash, p_all;
        exit when v_keys is not null;
        exit when p_source.pass_kind = 'backfill' or p_source.pass_stage = 'vectors' or p_source.storage = 'column';
        p_source.pass_stage := 'vectors';
        p_source.pass_after := null;
    end loop;

    examined := coalesce(cardinality(v_keys), 0);
    if v_needy is not null then
        perform evervec.queue_rows(
            p_source, v_needy,
            array_fill(0::bigint, array[cardinality(v_needy)]),
            array_fill(8::smallint, array[cardinality(v_needy)]),
            array_fill(jsonb_build_object('operation', p_source.pass_kind, 'triggered_by', p_source.pass_kind, 'triggered_at', now()),
                       array[cardinality(v_needy)]));
    end if;
    update evervec.source s
       set pass_kind     = case when examined > 0 then p_source.pass_kind end,
           pass_stage    = case when examined > 0 then p_source.pass_stage end,
           pass_after    = v_keys[examined],
           pass_at       = now(),
           pass_examined = s.pass_examined + examined,
           pass_missing  = s.pass_missing + missing,
           pass_stale    = s.pass_stale + stale,
           pass_orphaned = s.pass_orphaned + orphaned
     where s.source_id = p_source.source_id;
end
$$;

comment on function evervec.feed_slice(evervec.source, integer, boolean, boolean) is
$$Internal. One slice of a source's pass. p_by_hash: compare texts too; p_all: queue every row of the slice. examined 0: the pass is over.$$;

revoke execute on function evervec.feed_slice(evervec.source, integer, boolean, boolean) from public;
