-- check_role: a role that may be given rights on evervec, or the reason why not.
--
-- Locks:  none.
-- Raises: VE214 no such role, or the owner of evervec, who has every right
create or replace function evervec.check_role(p_role name)
returns regrole
language plpgsql stable
set search_path from current
as $$
declare
    v_role regrole := (select o.oid from pg_roles o where o.rolname = p_role);
begin
    if v_role is null then
        raise exception using
            errcode = 'VE214',
            message = format('role "%s" does not exist', p_role),
            detail  = 'Rights are given to roles that exist; evervec makes none.',
            hint    = format('CREATE ROLE %I LOGIN; or look at the spelling: names are case-sensitive here.', coalesce(p_role, 'evervec_reader'));
    elsif v_role = (select n.nspowner from pg_namespace n where n.nspname = 'evervec') then
        raise exception using
            errcode = 'VE214',
            message = format('role "%s" owns evervec', p_role),
            detail  = 'The owner has every right on it, and needs them.',
            hint    = 'Name the role of an application or of a worker.';
    end if;
    return v_role;
end
$$;

comment on function evervec.check_role(name) is
$$Internal. The role of that name. Raises VE214.$$;

revoke execute on function evervec.check_role(name) from public;
