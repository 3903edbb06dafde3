-- ring: rings the webhook if there is work; for a schedule, which by this makes up for rings that were lost.
--
-- With pgsql-http it waits up to a second for the answer, so it runs by itself: neither in tick nor in a transaction of an application.
-- Locks:  the row of evervec.push, where it has something else to say than last time.
-- needs: functions/push/has_work.sql
-- needs: functions/push/push_transport.sql
-- needs: functions/push/send_ring.sql
create or replace function evervec.ring(
    out rang      boolean,
    out transport text,
    out problem   text
)
language plpgsql security definer
set search_path from current
as $$
declare
    v_status integer;
begin
    transport := evervec.push_transport();
    rang := false;
    if coalesce(transport, 'none') = 'none' or not evervec.has_work() then
        return;
    end if;
    begin
        v_status := evervec.send_ring(transport);
        rang := coalesce(v_status between 200 and 299, true);
        problem := case when not rang then format('the webhook answered %s', v_status) end;
    exception when others then
        problem := sqlerrm;
    end;
    update evervec.push p set problem = ring.problem where p.problem is distinct from ring.problem;
end
$$;

comment on function evervec.ring() is
$$Rings the webhook of configure_push, if there is work: changes to fold, jobs that are due. rang: whether it did. transport: pg_net (it sends after commit, and nobody hears whether that arrives), http (pgsql-http, which waits up to a second), none; NULL: push is off. problem: why a ring failed; the next one repeats it. Runs every 5 seconds by schedule_maintenance.$$;

revoke execute on function evervec.ring() from public;
