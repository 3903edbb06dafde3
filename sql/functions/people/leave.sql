-- leave: these users are gone from the application: forgotten at once, or noted where more could make the writer fail.
--
-- Under REPEATABLE READ and SERIALIZABLE, an erased row that another transaction has changed would be a serialization failure of the writer's.
-- Locks:  the rows that are erased.
-- needs: functions/people/forget_users.sql
create or replace function evervec.leave(p_users text[])
returns void
language plpgsql
set search_path from current
as $$
begin
    if p_users = '{}' then
        return;
    elsif current_setting('transaction_isolation') in ('repeatable read', 'serializable') then
        insert into evervec.leaver (user_id) select u from unnest(p_users) u;
    else
        perform evervec.forget_users(p_users);
    end if;
end
$$;

comment on function evervec.leave(text[]) is
$$Internal. Forgets users at once, or, under REPEATABLE READ and SERIALIZABLE, notes them for forget_leavers.$$;

revoke execute on function evervec.leave(text[]) from public;
