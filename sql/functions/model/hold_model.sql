-- hold_model: an error of the whole service: nothing more is sent to the model for a while.
--
-- Never makes a pause shorter. A pause of the same class that follows, without a success between, prolongs the former one.
-- Locks:  the row of evervec.model.
create or replace function evervec.hold_model(p_model_id integer, p_until timestamptz, p_error_class text, p_reason text)
returns void
language sql
set search_path from current
as $$
    update evervec.model m
       set paused_at    = case when m.pause_class = p_error_class then m.paused_at else clock_timestamp() end,
           paused_until = p_until,
           pause_class  = p_error_class,
           pause_reason = left(p_reason, 1000)
     where m.model_id = p_model_id and (m.paused_until < p_until) is not false
$$;

comment on function evervec.hold_model(integer, timestamptz, text, text) is
$$Internal. Pauses a model until p_until because of an error of the class p_error_class.$$;

revoke execute on function evervec.hold_model(integer, timestamptz, text, text) from public;
