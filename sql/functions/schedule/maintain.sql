-- maintain: runs the piece of upkeep that has been due longest, for workers where no scheduler does.
--
-- However many workers ask, each piece runs once in its time: whoever runs it holds its row, and the others skip that. A piece that
-- fails waits for its next turn like any other, so that it keeps none from being done; nothing of what it did stays.
-- Locks:  the piece's row of evervec.maintenance, SKIP LOCKED, and those of what it runs.
create or replace function evervec.maintain(
    out job    text,
    out result jsonb,
    out error  text
)
language plpgsql security definer
set search_path from current
as $$
begin
    select m.job
      into job
      from evervec.maintenance m
     where m.by_worker and m.ran_at <= clock_timestamp() - m.every
     order by m.ran_at + m.every
     limit 1
       for update skip locked;
    if not found then
        return;
    end if;
    begin
        execute (
            select format(case when p.proretset then 'select jsonb_object_agg(r.kind, r.removed) from evervec.%I() r'
                               else 'select to_jsonb(r) from (select * from evervec.%I()) r' end, p.proname)
              from pg_proc p
             where p.pronamespace = 'evervec'::regnamespace and p.proname = job)
        into result;
    exception when others then
        error := sqlerrm;
    end;
    update evervec.maintenance m set ran_at = clock_timestamp(), error = maintain.error where m.job = maintain.job;
end
$$;

comment on function evervec.maintain() is
$$Runs one piece of upkeep, if one is due (evervec.maintenance: tick every 15 seconds, cleanup_expired every 5 seconds, apply_retention every 10 minutes), once whoever else calls this. job: which one; NULL: nothing is due. result: what it returned, by its columns, and of cleanup_expired by kinds. error: why it failed; it is tried again in its next turn. Call it again while it names a job.$$;

revoke execute on function evervec.maintain() from public;
