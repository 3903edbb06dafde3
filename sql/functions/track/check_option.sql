-- check_option: refuses a value that is not among those that an option takes.
--
-- Locks:  none.
-- Raises: VE111 unknown value
create or replace function evervec.check_option(p_option text, p_value text, p_allowed text[])
returns void
language plpgsql immutable
set search_path from current
as $$
begin
    if p_value is null or p_value <> all (p_allowed) then
        raise exception using
            errcode = 'VE111',
            message = format('%s cannot be %s', p_option, coalesce(quote_literal(p_value), 'NULL')),
            detail  = format('It takes %s.', array_to_string(p_allowed, ', ')),
            hint    = 'Choose one of these, or leave the option out for its default.';
    end if;
end
$$;

comment on function evervec.check_option(text, text, text[]) is
$$Internal. Raises VE111 when p_value is not one of p_allowed.$$;

revoke execute on function evervec.check_option(text, text, text[]) from public;
