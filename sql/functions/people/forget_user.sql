-- forget_user: erases all that is kept of a user, and says what.
--
-- What another transaction is writing about the user at the time is not seen: end the user's sessions first, or call it again.
-- Locks:  the rows that are erased.
-- Raises: VE501, VE502 bad user
-- needs: functions/people/forget_users.sql
create or replace function evervec.forget_user(p_user text)
returns table (kind text, rows bigint)
language plpgsql security definer
set search_path from current
as $$
begin
    perform evervec.check_user(p_user);
    return query select f.kind, f.rows from evervec.forget_users(array[p_user]) f;
end
$$;

comment on function evervec.forget_user(text) is
$$Erases all that evervec keeps of a user: interactions and their keys, marks, preferences, cached recommendations and analyses, tasks that wait and that gave up, errors that quote the user. kind: the table; rows: how many rows were erased there, 0 as well. Rows of your own tables are yours to delete, and what evervec made of them goes with them. Raises VE501, VE502.$$;

revoke execute on function evervec.forget_user(text) from public;
