-- start_pass: begins a pass over a whole source; a reconcile under way is not weakened to a backfill.
--
-- Locks:  ROW EXCLUSIVE on evervec.source.
create or replace function evervec.start_pass(p_source_id integer, p_kind text)
returns void
language sql
set search_path from current
as $$
    update evervec.source s
       set pass_kind     = case when s.pass_kind = 'reconcile' then 'reconcile' else p_kind end,
           pass_stage    = case when s.storage = 'manual' then 'vectors' else 'rows' end,
           pass_after    = null,
           pass_at       = now(),
           pass_examined = 0,
           pass_missing  = 0,
           pass_stale    = 0,
           pass_orphaned = 0
     where s.source_id = p_source_id
$$;

comment on function evervec.start_pass(integer, text) is
$$Internal. Begins a pass (backfill or reconcile) over a source at its first row.$$;

revoke execute on function evervec.start_pass(integer, text) from public;
