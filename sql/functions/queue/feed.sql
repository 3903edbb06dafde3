-- feed: takes one slice of one pass that is under way and queues the rows in it whose vectors are not right.
--
-- The pass that is least advanced goes first, so that a great table does not keep the small ones waiting. A source that is locked
-- (ALTER TABLE) is passed over.
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
begin
    for v_source in
        select *
          from evervec.source s
         where s.pass_kind is not null and s.source_id = any (p_sources)
         order by s.pass_examined, s.source_id
           for update skip locked
    loop
        begin
            v_examined := (evervec.next_slice(v_source, p_limit)).examined;
        exception
            when lock_not_available then
                continue;
            when others then
                -- Its recipe does not even parse any more. The others go on; doctor tells, and retrack compares anew.
                update evervec.source s
                   set pass_kind = null, pass_stage = null, pass_after = null, last_error = sqlerrm
                 where s.source_id = v_source.source_id;
                continue;
        end;
        if v_examined > 0 then
            return v_examined;
        end if;
    end loop;
    return 0;
end
$$;

comment on function evervec.feed(integer, integer[]) is
$$Internal. One slice of p_limit rows of one backfill or reconcile under way among the given sources; returns the rows looked at, 0 when no pass is under way.$$;

revoke execute on function evervec.feed(integer, integer[]) from public;
