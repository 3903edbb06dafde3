-- check_sees_all: refuses a caller who names rows of a source, but from whom row-level security may hide some.
--
-- The functions that ask it work with the rights of the table's owner, on any row.
-- Locks:  none.
-- Raises: VE213 row-level security applies to the caller
-- needs: functions/access/is_confined.sql
create or replace function evervec.check_sees_all(p_source evervec.source)
returns void
language plpgsql stable
set search_path from current
as $$
begin
    if evervec.is_confined(p_source.relation) then
        raise exception using
            errcode = 'VE213',
            message = format('row-level security applies to you on %s', p_source.relation_name),
            detail  = format('Rows of source "%s" are queued, and vectors brought and taken away, without regard to its policies.', p_source.name),
            hint    = format('Call it as a role that sees every row: the owner of %s, or one with BYPASSRLS.', p_source.relation_name);
    end if;
end
$$;

comment on function evervec.check_sees_all(evervec.source) is
$$Internal. Raises VE213 where row-level security of the source's table applies to the caller.$$;

revoke execute on function evervec.check_sees_all(evervec.source) from public;
