-- revoke_token: nobody gets in with a token any more, at once.
--
-- Locks:  the token.
-- Raises: VE412 no such token, or it is revoked
create or replace function evervec.revoke_token(p_name text)
returns void
language plpgsql security definer
set search_path from current
as $$
begin
    update evervec.api_token t set revoked_at = now() where t.name = p_name and t.revoked_at is null;
    if not found then
        raise exception using
            errcode = 'VE412',
            message = format('there is no token "%s" to revoke', p_name),
            detail  = coalesce(
                (select format('Those in use: %s.', string_agg(t.name, ', ' order by t.name)) from evervec.api_token t where t.revoked_at is null having count(*) > 0),
                'There are none in use.'),
            hint    = 'SELECT * FROM evervec.tokens(); lists all.';
    end if;
end
$$;

comment on function evervec.revoke_token(text) is
$$Makes a token worthless from the next request on; its name is free again. Raises VE412.$$;

revoke execute on function evervec.revoke_token(text) from public;
