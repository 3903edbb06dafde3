-- reconcile: compares one slice of a source by hash and queues what is missing, stale or orphaned.
--
-- Call it until examined is 0: first all rows in key order, then all vectors. Where it was interrupted, the next call goes on; workers
-- go on with it too.
-- Locks:  the row of evervec.source; ACCESS SHARE on the table.
-- Raises: VE101 unknown source
create or replace function evervec.reconcile(p_source text, p_limit integer default 10000)
returns table (examined bigint, missing bigint, stale bigint, orphaned bigint)
language plpgsql security definer
set search_path from current
as $$
declare
    v_source evervec.source := evervec.source_named(p_source);
begin
    select * into v_source from evervec.source s where s.source_id = v_source.source_id for update;
    if v_source.pass_kind is distinct from 'reconcile' then
        perform evervec.start_pass(v_source.source_id, 'reconcile');
        select * into v_source from evervec.source s where s.source_id = v_source.source_id;
    end if;
    return query select n.examined, n.missing, n.stale, n.orphaned from evervec.next_slice(v_source, p_limit) n;
end
$$;

comment on function evervec.reconcile(text, integer) is
$$One slice (default 10,000 rows) of a comparison of all texts and vectors of a source: begins one, or goes on with the one under way. Queues what is missing (no vector), stale (of another text or model) or orphaned (no row), and counts them. Call it until examined is 0. Raises VE101.$$;

revoke execute on function evervec.reconcile(text, integer) from public;
