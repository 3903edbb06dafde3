-- check_owns: refuses SQL of a caller who has not the rights with which it would run: those of the owner of the source's table.
--
-- Asked by functions that run with other rights than their caller's: who that is, is the role that the session has set, or else its user.
-- Locks:  none.
-- Raises: VE110 not permitted
create or replace function evervec.check_owns(p_source evervec.source, p_parameter text)
returns void
language plpgsql stable
set search_path from current
as $$
declare
    v_caller name := coalesce(nullif(current_setting('role'), 'none'), session_user);
    v_owner  regrole := (select c.relowner from pg_class c where c.oid = p_source.relation);
begin
    if not pg_has_role(v_caller, v_owner, 'usage') then
        raise exception using
            errcode = 'VE110',
            message = format('%s is not for %I to give', p_parameter, v_caller),
            detail  = format('It is SQL that runs with the rights of %s, to whom %s belongs.', v_owner, p_source.relation_name),
            hint    = format('Call it as a member of %s, or leave %s out.', v_owner, p_parameter);
    end if;
end
$$;

comment on function evervec.check_owns(evervec.source, text) is
$$Internal. Raises VE110 where the session's role has not the rights of the owner of the source's table; p_parameter: what it gave.$$;

revoke execute on function evervec.check_owns(evervec.source, text) from public;
