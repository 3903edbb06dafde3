-- sound_signals: the signals of a source that can be read for a user; the errors of the others are kept.
--
-- Locks:  the row of evervec.signal of one that fails.
create or replace function evervec.sound_signals(p_source evervec.source, p_user text)
returns text[]
language plpgsql
set search_path from current
as $$
declare
    v_signal text;
    v_sound  text[] := '{}';
begin
    for v_signal in
        select s.name from evervec.signal s where s.source_id = p_source.source_id order by s.name
    loop
        begin
            perform evervec.signal_inputs(p_source, v_signal, p_user);
            v_sound := v_sound || v_signal;
        exception when others then
            update evervec.signal s
               set last_error = sqlerrm
             where s.source_id = p_source.source_id and s.name = v_signal and s.last_error is distinct from sqlerrm;
        end;
    end loop;
    return v_sound;
end
$$;

comment on function evervec.sound_signals(evervec.source, text) is
$$Internal. Names of the signals whose queries do not fail for a user; keeps the errors of those that do.$$;

revoke execute on function evervec.sound_signals(evervec.source, text) from public;
