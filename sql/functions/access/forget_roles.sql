-- forget_roles: forgets which rights were given to roles that are gone.
--
-- Locks:  what is forgotten.
create or replace function evervec.forget_roles()
returns bigint
language sql
set search_path from current
as $$
    with removed as (
        delete from evervec.access a where not exists (select from pg_roles o where o.oid = a.role) returning 1
    )
    select count(*) from removed
$$;

comment on function evervec.forget_roles() is
$$Internal. Removes what evervec.access has about roles that are gone; returns how many rows.$$;

revoke execute on function evervec.forget_roles() from public;
