-- feed: takes one slice of one pass that is under way and queues the rows in it whose vectors are not right.
--
-- Locks:  the row of evervec.source, SKIP LOCKED: another session's slice is not waited for.
create or replace function evervec.feed(p_limit integer, p_sources integer[])
returns bigint
language plpgsql
set search_path from current
as $$
declare
    v_source   evervec.source;
    v_examined bigint;
    v_queued   bigint;
    v_last     jsonb;
    v_call     text;
begin
    select * into v_source
      from evervec.source s
     where s.pass_kind is not null and s.source_id = any (p_sources)
     order by s.source_id
     limit 1
       for update skip locked;
    if not found then
        return 0;
    end if;

    v_call := case v_source.pass_stage
        when 'rows' then format('evervec.%I($1, $2, %L)', 'slice_' || v_source.name, v_source.pass_kind = 'reconcile')
        else format('evervec.%I($1, $2)', 'orphans_' || v_source.name)
    end;
    execute format(
        $sql$
        with slice as materialized (
            select x.row_key, x.state, x.ordinality from %s with ordinality as x
        ), queued as (
            insert into evervec.processing_queue (source_id, row_key, priority, metadata)
            select $3, s.row_key, 8, jsonb_build_object('operation', s.state, 'triggered_by', $4, 'triggered_at', now())
              from slice s
             where s.state in ('missing', 'stale', 'orphan')
             order by s.row_key
            on conflict (source_id, task_type, row_key) do nothing
            returning 1
        )
        select (select count(*) from slice),
               (select count(*) from queued),
               (select s.row_key from slice s order by s.ordinality desc limit 1)
        $sql$, v_call)
    into v_examined, v_queued, v_last
    using v_source.pass_after, p_limit, v_source.source_id, v_source.pass_kind;

    if v_examined > 0 then
        update evervec.source s
           set pass_after    = v_last,
               pass_examined = s.pass_examined + v_examined,
               pass_queued   = s.pass_queued + v_queued
         where s.source_id = v_source.source_id;
        return v_examined;
    end if;

    if v_source.pass_kind = 'reconcile' and v_source.pass_stage = 'rows' then
        update evervec.source s
           set pass_stage = 'vectors', pass_after = null
         where s.source_id = v_source.source_id;
    else
        update evervec.source s
           set pass_kind = null, pass_stage = null, pass_after = null
         where s.source_id = v_source.source_id;
    end if;
    -- A stage that ends has looked at nothing, but there may be another one.
    return 1;
end
$$;

comment on function evervec.feed(integer, integer[]) is
$$Internal. One slice of p_limit rows of one backfill or reconcile under way among the given sources; returns the rows looked at, 0 when no pass is under way.$$;

revoke execute on function evervec.feed(integer, integer[]) from public;
