-- acts_for_all: whether the session's role may see and change what is kept of every user: evervec's owner, workers and admins.
--
-- The role is the one that the session has set, or else its user: this is asked within functions that run with other rights than their caller's.
-- Locks:  none.
create or replace function evervec.acts_for_all()
returns boolean
language sql stable security definer
set search_path from current
as $$
    select exists (
        select
          from pg_roles r
         where r.rolname = coalesce(nullif(current_setting('role'), 'none'), session_user)
           and (pg_has_role(r.oid, (select n.nspowner from pg_namespace n where n.nspname = 'evervec'), 'usage')
                or exists (
                    select
                      from evervec.access a
                      join pg_roles g on g.oid = a.role
                     where a.kind in ('worker', 'admin') and pg_has_role(r.oid, g.oid, 'usage'))))
$$;

comment on function evervec.acts_for_all() is
$$Internal. Whether the session's role is evervec's owner, a worker or an admin, for whom every user is theirs.$$;

revoke execute on function evervec.acts_for_all() from public;
