-- forget_leavers: forgets who was deleted by transactions that could only note it.
--
-- Locks:  the rows that are erased.
-- needs: functions/people/forget_users.sql
create or replace function evervec.forget_leavers(p_limit integer default 1000)
returns bigint
language plpgsql security definer
set search_path from current
as $$
declare
    v_users text[] := array(select distinct l.user_id from evervec.leaver l limit p_limit);
begin
    if v_users <> '{}' then
        perform evervec.forget_users(v_users);
    end if;
    return cardinality(v_users);
end
$$;

comment on function evervec.forget_leavers(integer) is
$$Internal. Forgets up to p_limit users (default 1000) who were deleted from a tracked table of users under REPEATABLE READ or SERIALIZABLE; returns how many. Maintenance calls it.$$;

revoke execute on function evervec.forget_leavers(integer) from public;
