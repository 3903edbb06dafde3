-- renew_signals: writes the functions of all signals of a source anew; one that cannot be written is noted, and keeps nothing from being done.
--
-- Locks:  as signal_columns.
create or replace function evervec.renew_signals(p_source evervec.source)
returns void
language plpgsql
set search_path from current
as $$
declare
    v_signal evervec.signal;
begin
    for v_signal in select * from evervec.signal s where s.source_id = p_source.source_id order by s.name loop
        begin
            update evervec.signal s
               set columns = evervec.create_signal(p_source, v_signal), last_error = null
             where s.signal_id = v_signal.signal_id;
        exception
            when transaction_rollback or insufficient_resources or operator_intervention or object_not_in_prerequisite_state then
                raise;
            when others then
                update evervec.signal s set last_error = sqlerrm where s.signal_id = v_signal.signal_id;
        end;
    end loop;
end
$$;

comment on function evervec.renew_signals(evervec.source) is
$$Internal. Creates or replaces signal_<source>_<signal> for every signal of a source; an error is noted in evervec.signal.$$;

revoke execute on function evervec.renew_signals(evervec.source) from public;
