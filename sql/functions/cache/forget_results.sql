-- forget_results: removes results of searches by age and number, and those that a change has made void; sums up the changes.
--
-- Of a source with many changes all those that are committed become one, of this transaction: whatever result was found before it is void,
-- which at most costs a search. So no result, not even one of a transaction that is still open, can take a change that it has not seen
-- for one that never was.
-- Locks:  what is forgotten, SKIP LOCKED.
-- needs: functions/control/setting_interval.sql
-- needs: functions/control/setting_number.sql
create or replace function evervec.forget_results(p_limit integer default 10000)
returns bigint
language sql
set search_path from current
as $$
    with surplus as (
        select greatest(count(*) - greatest(evervec.setting_number('search_cache_most', 10000), 0), 0)::bigint as entries
          from evervec.search_cache
    ), removed as (
        delete from evervec.search_cache d
         where d.ctid = any (array(
            select o.ctid
              from evervec.search_cache o
             where o.created_at <= (select now() - evervec.setting_interval('search_cache_keep', '24 hours'))
                or o.ctid in (
                    select n.ctid from evervec.search_cache n order by n.created_at limit (select least(s.entries, p_limit) from surplus s))
                or exists (
                    select from evervec.source_change c
                     where c.source_id = o.source_id
                       and c.xid >= pg_snapshot_xmin(o.seen)
                       and (not pg_visible_in_snapshot(c.xid, o.seen) or c.xid = o.kept_by))
             limit p_limit
               for update skip locked))
        returning 1
    ), summed as (
        delete from evervec.source_change d
         where d.ctid = any (array(
            select c.ctid
              from evervec.source_change c
             where c.source_id in (select n.source_id from evervec.source_change n group by n.source_id having count(*) > 100)
                -- From another cluster, by a dump.
                or c.xid > pg_current_xact_id()
             limit p_limit
               for update skip locked))
        returning d.source_id
    ), sums as (
        insert into evervec.source_change (source_id)
        select distinct s.source_id from summed s
    )
    select count(*) from removed
$$;

comment on function evervec.forget_results(integer) is
$$Internal. Removes results of searches that have expired, do not hold any more or are beyond the number that is kept, up to p_limit, and returns how many; puts one row of source_change in the place of more than a hundred of a source.$$;

revoke execute on function evervec.forget_results(integer) from public;
