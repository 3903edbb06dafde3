-- act_as_owner: makes a generated function run with the rights of the owner of the source's table.
--
-- Recipes read the user's table, so they get its owner's rights and not more.
-- Locks:  none that matter.
create or replace function evervec.act_as_owner(p_source evervec.source, p_function regprocedure)
returns void
language plpgsql
set search_path from current
as $$
declare
    v_owner regrole := (select c.relowner from pg_class c where c.oid = p_source.relation);
begin
    execute format('alter function %s security definer', p_function);
    execute format('revoke execute on function %s from public', p_function);
    if v_owner <> current_user::regrole then
        -- PostgreSQL wants the new owner to have CREATE on the schema at this moment, not afterwards.
        execute format('grant create on schema evervec to %s', v_owner);
        execute format('alter function %s owner to %s', p_function, v_owner);
        -- Afterwards: a change of owner turns the former owner's grants into the new one's.
        execute format('grant execute on function %s to current_user', p_function);
        execute format('revoke create on schema evervec from %s', v_owner);
        execute format('grant usage on schema evervec to %s', v_owner);
    end if;
end
$$;

comment on function evervec.act_as_owner(evervec.source, regprocedure) is
$$Internal. SECURITY DEFINER, owned by the owner of the source's table, executable by evervec's owner alone.$$;

revoke execute on function evervec.act_as_owner(evervec.source, regprocedure) from public;
