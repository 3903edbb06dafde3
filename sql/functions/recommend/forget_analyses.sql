-- forget_analyses: removes what applications kept about users, once its time is over.
--
-- Locks:  what is forgotten, SKIP LOCKED.
create or replace function evervec.forget_analyses(p_limit integer default 10000)
returns bigint
language sql
set search_path from current
as $$
    with removed as (
        delete from evervec.analysis_cache d
         where d.ctid = any (array(
            select o.ctid
              from evervec.analysis_cache o
             where o.expires_at <= now()
             limit p_limit
               for update skip locked))
        returning 1
    )
    select count(*) from removed
$$;

comment on function evervec.forget_analyses(integer) is
$$Internal. Removes up to p_limit expired analyses; returns how many.$$;

revoke execute on function evervec.forget_analyses(integer) from public;
