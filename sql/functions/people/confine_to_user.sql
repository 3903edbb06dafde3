-- confine_to_user: row-level security for a table with a user in it: everybody sees and writes what is theirs, and workers and admins all.
--
-- The same for partitions, which somebody could read by their own names. Calls stand in subqueries, so that they are made once a statement.
-- Locks:  ACCESS EXCLUSIVE on the table.
-- needs: functions/people/current_user_id.sql
-- needs: functions/people/acts_for_all.sql
create or replace function evervec.confine_to_user(p_relation regclass)
returns void
language plpgsql
set search_path from current
as $$
begin
    execute format('alter table %s enable row level security', evervec.qualified_name(p_relation));
    if not exists (select from pg_policy p where p.polrelid = p_relation and p.polname = 'own_rows') then
        execute format(
            'create policy own_rows on %s using (user_id = (select evervec.current_user_id()) or (select evervec.acts_for_all()))',
            evervec.qualified_name(p_relation));
    end if;
end
$$;

comment on function evervec.confine_to_user(regclass) is
$$Internal. Enables row-level security on a table with a column user_id, with one policy: own_rows.$$;

revoke execute on function evervec.confine_to_user(regclass) from public;
