-- free_model: a success shows that what paused a model by an error is over.
--
-- What is in flight when a rate limit is reached may still succeed and says nothing: such a pause lasts its time.
-- Locks:  the row of evervec.model, SKIP LOCKED.
create or replace function evervec.free_model(p_model_id integer)
returns void
language plpgsql
set search_path from current
as $$
begin
    -- Read first: this is called for every batch, and nearly always there is nothing to do.
    if exists (select from evervec.model m where m.model_id = p_model_id and m.pause_class is not null) then
        update evervec.model m
           set paused_at = null, paused_until = null, pause_class = null, pause_reason = null
         where m.model_id in (
            select h.model_id
              from evervec.model h
             where h.model_id = p_model_id and (h.pause_class in ('auth', 'quota') or h.paused_until <= clock_timestamp())
               and h.pause_class is not null
               for no key update skip locked);
    end if;
end
$$;

comment on function evervec.free_model(integer) is
$$Internal. Ends a pause of class auth or quota, and forgets one of another class whose time is up; one by hand stays.$$;

revoke execute on function evervec.free_model(integer) from public;
