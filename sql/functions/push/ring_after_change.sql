-- ring_after_change: the trigger by which a transaction rings the webhook through pg_net; keeps away who has rung, or comes too soon.
--
-- It fires once a logged statement, which is once a row of an UPDATE. So it does next to nothing: no condition of the trigger, which PostgreSQL would
-- prepare each time, no SET clause, every name and operator qualified instead. It runs as the function that logged, which is evervec's.
-- One setting keeps both away: it is the time, as text, before which a session need not look, or "rung" (more than any number) until the end of
-- the transaction that rang; no value of it can fail a write. Rings of all sessions are kept apart by the value of a sequence, for which nobody waits
-- in a transaction; but its one page is locked to be read, so a session remembers what it read for up to a second. ring() makes up for a ring that a
-- rollback takes along.
-- Locks:  none.
-- needs: functions/push/ring_once.sql
create or replace function evervec.ring_after_change()
returns trigger
language plpgsql
as $$
declare
    v_now  bigint;
    v_next bigint;
    v_done text;  -- what set_config returns: an assignment is cheaper than PERFORM
begin
    if pg_catalog.current_setting('evervec.no_ring_before', true) collate pg_catalog."C"
       operator(pg_catalog.>) (pg_catalog.date_part('epoch', pg_catalog.clock_timestamp()) operator(pg_catalog.*) 1000)::bigint::text then
        return null;
    end if;
    v_now := pg_catalog.date_part('epoch', pg_catalog.clock_timestamp()) operator(pg_catalog.*) 1000;
    v_next := pg_catalog.pg_sequence_last_value('evervec.next_ring');
    if v_next operator(pg_catalog.>) v_now then
        v_done := pg_catalog.set_config('evervec.no_ring_before', least(v_next, v_now operator(pg_catalog.+) 1000)::text, false);
        return null;
    end if;
    perform evervec.ring_once();
    return null;
end
$$;

comment on function evervec.ring_after_change() is
$$Internal. Trigger on change_log while push is on and pg_net is there.$$;

revoke execute on function evervec.ring_after_change() from public;
