-- forget_queries: removes vectors of queries by age and number, as evervec.setting says; the oldest go first.
--
-- Locks:  what is forgotten, SKIP LOCKED.
-- needs: functions/control/setting_interval.sql
-- needs: functions/control/setting_number.sql
create or replace function evervec.forget_queries(p_limit integer default 10000)
returns bigint
language sql
set search_path from current
as $$
    with surplus as (
        select greatest(count(*) - greatest(evervec.setting_number('query_cache_most', 10000), 0), 0)::bigint as entries
          from evervec.query_cache c
    ), removed as (
        delete from evervec.query_cache c
         where c.ctid = any (array(
            select o.ctid
              from evervec.query_cache o
             where o.created_at <= (select now() - evervec.setting_interval('query_cache_keep', '24 hours'))
                or o.ctid in (
                    select n.ctid from evervec.query_cache n order by n.created_at limit (select least(s.entries, p_limit) from surplus s))
             limit p_limit
               for update skip locked))
        returning 1
    )
    select count(*) from removed
$$;

comment on function evervec.forget_queries(integer) is
$$Internal. Removes vectors of queries that have expired or are beyond the number that is kept, up to p_limit; returns how many.$$;

revoke execute on function evervec.forget_queries(integer) from public;
