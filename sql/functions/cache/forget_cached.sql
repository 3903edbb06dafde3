-- forget_cached: removes what the cache has kept unused for longer than the setting cache_keep.
--
-- Locks:  what is forgotten, SKIP LOCKED.
-- needs: functions/control/setting_interval.sql
create or replace function evervec.forget_cached(p_limit integer default 10000)
returns bigint
language sql
set search_path from current
as $$
    with removed as (
        delete from evervec.embedding_cache c
         where c.ctid = any (array(
            select o.ctid
              from evervec.embedding_cache o
             where o.used_at < (select now() - evervec.setting_interval('cache_keep', '30 days'))
             limit p_limit
               for update skip locked))
        returning 1
    )
    select count(*) from removed
$$;

comment on function evervec.forget_cached(integer) is
$$Internal. Removes up to p_limit expired entries of the cache; returns how many.$$;

revoke execute on function evervec.forget_cached(integer) from public;
