-- doctor_access: finding: rights that grant_access gave and that are gone, as when a migration has made a function anew.
--
-- Locks:  none.
-- needs: functions/access/missing_rights.sql
create or replace function evervec.doctor_access()
returns table (finding text, severity text, problem text, remedy text)
language sql stable
set search_path from current
as $$
    select 'rights missing', 'error',
           format('%s lacks rights that grant_access gave: %s.', m.role, string_agg(format('%s on %s', m.privilege, m.object), ', ' order by m.object)),
           'select evervec.renew_access();'
      from evervec.missing_rights() m
     group by m.role
$$;

comment on function evervec.doctor_access() is
$$Internal. Finding of doctor: roles that lack rights of their kinds of access.$$;

revoke execute on function evervec.doctor_access() from public;
