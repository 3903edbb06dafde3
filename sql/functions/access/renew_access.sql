-- renew_access: gives everybody what is missing of the rights that grant_access promised.
--
-- track and retrack call it for what they make, and so does a migration that makes functions anew. A role that is gone is forgotten.
-- Locks:  none that matter; GRANT on functions and relations of evervec and on embedding tables, where a right is missing.
-- needs: functions/access/forget_roles.sql
-- needs: functions/access/missing_rights.sql
create or replace function evervec.renew_access()
returns integer
language plpgsql
set search_path from current
as $$
declare
    v_right   record;
    v_renewed integer := 0;
begin
    perform evervec.forget_roles();
    for v_right in select m.object, m.privilege, m.role from evervec.missing_rights() m
    loop
        execute format('grant %s on %s to %s', v_right.privilege, v_right.object, v_right.role);
        v_renewed := v_renewed + 1;
    end loop;
    return v_renewed;
end
$$;

comment on function evervec.renew_access() is
$$Grants what is missing of the rights of everybody to whom grant_access gave some, as after somebody revoked one by hand, and returns how many that were. track and retrack do it by themselves.$$;

revoke execute on function evervec.renew_access() from public;
