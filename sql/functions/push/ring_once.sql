-- ring_once: rings the webhook by pg_net after the commit of this transaction, which rings no more, and nobody else within the debounce.
--
-- Whatever goes wrong with that is none of the writer's business; ring() repeats it. Hence the EXCEPTION block, at most one a transaction,
-- and no wait for a lock.
-- Locks:  none that anybody waits for.
-- needs: functions/push/send_ring.sql
create or replace function evervec.ring_once()
returns void
language plpgsql
set search_path from current
set lock_timeout = '10ms'
as $$
begin
    perform set_config('evervec.no_ring_before', 'rung', true);
    perform setval('evervec.next_ring', (extract(epoch from clock_timestamp() + p.debounce) * 1000)::bigint) from evervec.push p;
    begin
        perform evervec.send_ring('pg_net');
    exception when others then
        raise log 'evervec: the webhook is not rung: %', sqlerrm;
    end;
end
$$;

comment on function evervec.ring_once() is
$$Internal. Rings the webhook by pg_net, once a transaction, for ring_after_change; raises nothing.$$;

revoke execute on function evervec.ring_once() from public;
