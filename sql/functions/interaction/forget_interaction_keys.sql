-- forget_interaction_keys: removes the keys of interactions that are older than the setting interaction_key_keep.
--
-- Locks:  what is forgotten, SKIP LOCKED.
-- needs: functions/control/setting_interval.sql
create or replace function evervec.forget_interaction_keys(p_limit integer default 10000)
returns bigint
language sql
set search_path from current
as $$
    with removed as (
        delete from evervec.interaction_key d
         where d.ctid = any (array(
            select o.ctid
              from evervec.interaction_key o
             where o.created_at < (select now() - evervec.setting_interval('interaction_key_keep', '30 days'))
             limit p_limit
               for update skip locked))
        returning 1
    )
    select count(*) from removed
$$;

comment on function evervec.forget_interaction_keys(integer) is
$$Internal. Removes up to p_limit old keys of interactions; returns how many.$$;

revoke execute on function evervec.forget_interaction_keys(integer) from public;
