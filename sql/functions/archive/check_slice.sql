-- check_slice: refuses a number of rows with which a caller who repeats until 0 would stop at once.
--
-- Locks:  none.
-- Raises: VE601 not 1 or more
create or replace function evervec.check_slice(p_limit bigint)
returns void
language plpgsql immutable
set search_path from current
as $$
begin
    if coalesce(p_limit < 1, true) then
        raise exception using
            errcode = 'VE601', message = 'a slice has 1 row or more',
            detail  = format('p_limit is %s.', coalesce(p_limit::text, 'NULL')),
            hint    = 'Leave it out for its default, and call again until 0.';
    end if;
end
$$;

comment on function evervec.check_slice(bigint) is
$$Internal. Raises VE601 where p_limit is NULL or less than 1.$$;

revoke execute on function evervec.check_slice(bigint) from public;
