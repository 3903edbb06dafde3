-- forget_users: erases all that is kept of users.
--
-- Tables with a user in them; tasks about one, waiting, given up or under way; and errors that quote one. What is left are sums in which many
-- took part (trends), and rows of the application, of which evervec forgets what those forget.
-- Locks:  the rows that are erased.
-- needs: functions/people/user_tables.sql
create or replace function evervec.forget_users(p_users text[])
returns table (kind text, rows bigint)
language plpgsql
set search_path from current
as $$
declare
    v_table regclass;
begin
    for v_table in select t from evervec.user_tables() t loop
        kind := (select c.relname from pg_class c where c.oid = v_table);
        execute format('delete from %s where user_id = any ($1)', v_table) using p_users;
        get diagnostics rows = row_count;
        return next;
    end loop;

    kind := 'processing_queue';
    delete from evervec.processing_queue q where q.row_key is null and q.task_data ->> 'user' = any (p_users);
    get diagnostics rows = row_count;
    return next;
    kind := 'dead_letter';
    delete from evervec.dead_letter d where d.row_key is null and d.task_data ->> 'user' = any (p_users);
    get diagnostics rows = row_count;
    return next;

    update evervec.signal s set last_error = null where exists (select from unnest(p_users) u where strpos(s.last_error, u) > 0);
    update evervec.maintenance m set error = null where exists (select from unnest(p_users) u where strpos(m.error, u) > 0);
end
$$;

comment on function evervec.forget_users(text[]) is
$$Internal. Erases all that is kept of users; returns how many rows of each table that were.$$;

revoke execute on function evervec.forget_users(text[]) from public;
