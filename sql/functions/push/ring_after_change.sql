-- ring_after_change: the trigger by which a transaction rings the webhook through pg_net; keeps away who has rung, or comes too soon.
--
-- It fires once a logged statement, which is once a row of an UPDATE. So it does next to nothing: no condition of the trigger, which PostgreSQL would
-- prepare each time, no SET clause, every name and operator qualified instead. It runs as the function that logged, which is evervec's.
-- A transaction decides at its first change whether it rings; a setting that is local to it says so to all others of its changes.
-- Rings of all sessions are kept apart by the value of a sequence, for which nobody ever waits. ring() makes up for a ring that a rollback
-- takes along, and for a change that came too soon.
-- Locks:  none.
-- needs: functions/push/ring_once.sql
create or replace function evervec.ring_after_change()
returns trigger
language plpgsql
as $$
declare
    v_done text;  -- what set_config returns: an assignment is cheaper than PERFORM
begin
    if pg_catalog.current_setting('evervec.ring_decided', true) operator(pg_catalog.=) 'on' then
        return null;
    end if;
    v_done := pg_catalog.set_config('evervec.ring_decided', 'on', true);
    if pg_catalog.pg_sequence_last_value('evervec.next_ring')
       operator(pg_catalog.>) (pg_catalog.date_part('epoch', pg_catalog.clock_timestamp()) operator(pg_catalog.*) 1000) then
        return null;
    end if;
    perform evervec.ring_once();
    return null;
end
$$;

comment on function evervec.ring_after_change() is
$$Internal. Trigger on change_log while push is on and pg_net is there.$$;

revoke execute on function evervec.ring_after_change() from public;
