-- missing_rights: what grant_access promised and a role has not.
--
-- As after a migration has made a function anew, or somebody has revoked a right by hand.
-- Locks:  none.
-- needs: functions/access/access_rights.sql
create or replace function evervec.missing_rights()
returns table (object text, privilege text, role regrole)
language sql stable
set search_path from current
as $$
    select distinct r.object, r.privilege, a.role
      from evervec.access a
      join pg_roles o on o.oid = a.role
      cross join lateral evervec.access_rights(a.kind) r
     where a.role not in (r.owner, coalesce(r.source_owner, 0))
       and not exists (select from aclexplode(r.acl) g
                        where g.grantee = a.role and g.privilege_type = upper(r.privilege))
     order by r.object, r.privilege
$$;

comment on function evervec.missing_rights() is
$$Internal. Rights of the kinds of access that roles have not, as GRANT names them.$$;

revoke execute on function evervec.missing_rights() from public;
