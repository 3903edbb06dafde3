-- forget_calls: removes calls to limited models that ended, or expired, more than an hour ago.
--
-- begin_call does so for the model that it is asked about; this is for those that nobody uses any more.
-- Locks:  what is forgotten, SKIP LOCKED.
create or replace function evervec.forget_calls(p_limit integer default 10000)
returns bigint
language sql
set search_path from current
as $$
    with removed as (
        delete from evervec.model_call c
         where c.ctid = any (array(
            select o.ctid
              from evervec.model_call o
             where coalesce(o.finished_at, o.expires_at) < now() - interval '1 hour'
             limit p_limit
               for update skip locked))
        returning 1
    )
    select count(*) from removed
$$;

comment on function evervec.forget_calls(integer) is
$$Internal. Removes up to p_limit old calls to limited models; returns how many.$$;

revoke execute on function evervec.forget_calls(integer) from public;
