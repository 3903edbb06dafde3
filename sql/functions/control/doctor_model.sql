-- doctor_model: finding: a source whose model is paused.
--
-- Locks:  none.
create or replace function evervec.doctor_model(p_source evervec.source)
returns table (finding text, severity text, problem text, remedy text)
language sql stable
set search_path from current
as $$
    select 'model paused', 'error',
           format('Model "%s" is paused until %s%s.', m.name, m.paused_until, ': ' || m.pause_reason),
           format('update evervec.model set paused_until = null, pause_reason = null where name = %L;', m.name)
      from evervec.model m
     where m.model_id = p_source.model_id and m.paused_until > now()
$$;

comment on function evervec.doctor_model(evervec.source) is
$$Internal. Finding of doctor: a paused model.$$;

revoke execute on function evervec.doctor_model(evervec.source) from public;
