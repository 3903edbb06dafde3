-- forget_recommendations: removes recommendations that were kept and are past their time.
--
-- Locks:  what is forgotten, SKIP LOCKED.
create or replace function evervec.forget_recommendations(p_limit integer default 10000)
returns bigint
language sql
set search_path from current
as $$
    with removed as (
        delete from evervec.recommendation_cache d
         where d.ctid = any (array(
            select o.ctid
              from evervec.recommendation_cache o
             where o.expires_at <= now()
             limit p_limit
               for update skip locked))
        returning 1
    )
    select count(*) from removed
$$;

comment on function evervec.forget_recommendations(integer) is
$$Internal. Removes up to p_limit expired recommendations; returns how many.$$;

revoke execute on function evervec.forget_recommendations(integer) from public;
