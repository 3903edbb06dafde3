-- forget_truncated: trigger of a tracked table of users: all whom evervec knows are forgotten, but those in another tracked table.
--
-- A TRUNCATE does not say who was in the table.
-- Locks:  as leave; ACCESS SHARE on other tables of users.
-- needs: functions/people/leave.sql
create or replace function evervec.forget_truncated()
returns trigger
language plpgsql security definer
set search_path from current
as $$
declare
    v_users text[] := '{}';
    v_table regclass;
    v_other record;
begin
    for v_table in select t from evervec.user_tables() t loop
        execute format('select array(select user_id from %s union select unnest($1))', v_table) into v_users using v_users;
    end loop;
    for v_other in
        select u.relation, a.attname as key_column
          from evervec.user_relation u
          join pg_attribute a on a.attrelid = u.relation and a.attnum = u.key_attribute and not a.attisdropped
         where u.relation <> tg_relid
    loop
        execute format('select array(select unnest($1) except select %I::text from %s)', v_other.key_column, v_other.relation)
           into v_users
          using v_users;
    end loop;
    perform evervec.leave(v_users);
    return null;
end
$$;

comment on function evervec.forget_truncated() is
$$Internal. Trigger function on tables of users, for TRUNCATE.$$;

revoke execute on function evervec.forget_truncated() from public;
