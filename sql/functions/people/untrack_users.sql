-- untrack_users: takes back what track_users made.
--
-- Locks:  ACCESS EXCLUSIVE on the table, taken in attempts of half a second with pauses between them: DROP TRIGGER needs it.
-- Raises: 55P03 the table stays locked
-- needs: functions/core/lock_relation.sql
create or replace function evervec.untrack_users(p_relation regclass)
returns boolean
language plpgsql
set search_path from current
as $$
begin
    delete from evervec.user_relation u where u.relation = p_relation;
    if not found then
        return false;
    end if;
    perform evervec.lock_relation(p_relation, 'access exclusive');
    execute format('drop trigger if exists evervec_forget_deleted on %s', p_relation);
    execute format('drop trigger if exists evervec_forget_truncated on %s', p_relation);
    return true;
end
$$;

comment on function evervec.untrack_users(regclass) is
$$Users who are deleted from a table are not forgotten for that any more; returns false where that was so already. p_relation: as given to track_users. Raises 55P03.$$;

revoke execute on function evervec.untrack_users(regclass) from public;
