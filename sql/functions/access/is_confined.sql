-- is_confined: whether row-level security of a table may hide rows from whoever called, and who is no admin.
--
-- Asked by functions that run with other rights than their caller's: who that is, is the role that the session has set, or else its user.
-- Locks:  none.
create or replace function evervec.is_confined(p_relation regclass)
returns boolean
language sql stable
set search_path from current
as $$
    select c.relrowsecurity and not (r.rolsuper or r.rolbypassrls)
           and (c.relforcerowsecurity or not pg_has_role(r.oid, c.relowner, 'usage'))
           and not exists (select from evervec.access a where a.kind = 'admin' and pg_has_role(r.oid, a.role, 'usage'))
      from pg_class c
      join pg_roles r on r.rolname = coalesce(nullif(current_setting('role'), 'none'), session_user)
     where c.oid = p_relation
$$;

comment on function evervec.is_confined(regclass) is
$$Internal. Whether row-level security of a table applies to the session's role, as row_security_active tells of the current one, and that is no admin; NULL when there is no such table.$$;

revoke execute on function evervec.is_confined(regclass) from public;
