-- revoke_access: takes from a role the rights of a kind, except those that it has as another kind.
--
-- Locks:  none that matter.
-- Raises: VE111 unknown kind · VE214 no such role, or the owner of evervec
-- needs: functions/access/access_rights.sql
create or replace function evervec.revoke_access(p_role name, p_kind text)
returns boolean
language plpgsql
set search_path from current
as $$
declare
    v_role  regrole := evervec.check_role(p_role);
    v_had   boolean;
    v_right record;
begin
    perform evervec.check_option('p_kind', p_kind, array['reader', 'writer', 'worker', 'admin']);
    delete from evervec.access a where a.role = v_role and a.kind = p_kind;
    v_had := found;
    for v_right in
        select r.object, r.privilege
          from evervec.access_rights(p_kind) r
         where v_role not in (r.owner, coalesce(r.source_owner, 0))
           and exists (select from aclexplode(r.acl) g where g.grantee = v_role and g.privilege_type = upper(r.privilege))
           -- Who owns a tracked table has functions in the schema, and needs it.
           and not (r.object = 'schema evervec'
                    and exists (select from evervec.source s join pg_class t on t.oid = s.relation where t.relowner = v_role))
           and not exists (select
                             from evervec.access a
                             cross join lateral evervec.access_rights(a.kind) o
                            where a.role = v_role and o.object = r.object and o.privilege = r.privilege)
         order by r.object, r.privilege
    loop
        execute format('revoke %s on %s from %s', v_right.privilege, v_right.object, v_role);
    end loop;
    return v_had;
end
$$;

comment on function evervec.revoke_access(name, text) is
$$Takes the rights of a kind away, also where they were granted by hand; what the role has as another kind it keeps. Returns whether grant_access had given it that kind. p_role: the role. p_kind: reader, writer, worker or admin. Raises VE111, VE214.$$;

revoke execute on function evervec.revoke_access(name, text) from public;
