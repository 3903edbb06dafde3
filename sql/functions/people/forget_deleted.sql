-- forget_deleted: trigger of a tracked table of users: who was deleted is forgotten.
--
-- The key is found by its name, or, once that has been changed, by its number: the application's DELETE must not fail for it. A session that
-- bypasses evervec bypasses other triggers, not this one.
-- Locks:  as leave.
-- needs: functions/people/leave.sql
create or replace function evervec.forget_deleted()
returns trigger
language plpgsql security definer
set search_path from current
as $$
declare
    v_key   name;
    v_users text[];
begin
    select a.attname
      into v_key
      from evervec.user_relation u
      join pg_attribute a on a.attrelid = u.relation and not a.attisdropped and (a.attname = u.key_column or a.attnum = u.key_attribute)
     where u.relation = tg_relid
     order by a.attname = u.key_column desc
     limit 1;
    if found then
        execute format('select coalesce(array_agg(distinct o.%1$I::text), ''{}'') from evervec_old o where o.%1$I is not null', v_key) into v_users;
        perform evervec.leave(v_users);
    end if;
    return null;
end
$$;

comment on function evervec.forget_deleted() is
$$Internal. Trigger function on tables of users, for DELETE.$$;

revoke execute on function evervec.forget_deleted() from public;
