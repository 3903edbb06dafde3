-- forget_tokens: removes tokens that were revoked, or expired, longer ago than the setting token_keep.
--
-- Locks:  what is forgotten, SKIP LOCKED.
-- needs: functions/control/setting_interval.sql
create or replace function evervec.forget_tokens(p_limit integer default 10000)
returns bigint
language sql
set search_path from current
as $$
    with removed as (
        delete from evervec.api_token d
         where d.ctid = any (array(
            select o.ctid
              from evervec.api_token o
             where least(o.revoked_at, o.expires_at) < (select now() - evervec.setting_interval('token_keep', '90 days'))
             limit p_limit
               for update skip locked))
        returning 1
    )
    select count(*) from removed
$$;

comment on function evervec.forget_tokens(integer) is
$$Internal. Removes up to p_limit tokens that ended long ago; returns how many.$$;

revoke execute on function evervec.forget_tokens(integer) from public;
