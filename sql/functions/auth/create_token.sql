-- create_token: lets somebody call the webhook; the only time that the token is shown.
--
-- Made here, so that it stands in no statement; only its SHA-256 is kept, which is enough for 244 random bits.
-- Locks:  none.
-- Raises: VE111 a blank name, unknown scopes, a time that is over · VE411 there is a token of that name
-- needs: functions/auth/random_key.sql
create or replace function evervec.create_token(
    p_name    text,
    p_scopes  text[] default '{read}',
    p_tenant  text default null,
    p_expires interval default null
)
returns text
language plpgsql
set search_path from current
as $$
declare
    -- Each holds those before it.
    v_all   constant text[] := array['read', 'write', 'admin'];
    v_token constant text   := 'evv_' || evervec.random_key();
    v_scope text;
begin
    if p_name is null or p_name !~ '\S' then
        raise exception using
            errcode = 'VE111', message = 'the name of a token is empty',
            detail  = 'It is listed and revoked by its name.',
            hint    = 'Name it after whoever will hold it.';
    elsif p_expires <= '0' then
        raise exception using
            errcode = 'VE111', message = 'a token cannot have expired already',
            detail  = format('p_expires is %s from now.', p_expires),
            hint    = 'For example ''90 days''; NULL: never.';
    end if;
    foreach v_scope in array coalesce(nullif(p_scopes, '{}'), '{null}') loop
        perform evervec.check_option('p_scopes', v_scope, v_all);
    end loop;
    insert into evervec.api_token (name, token_hash, scopes, tenant, expires_at)
    values (p_name, sha256(convert_to(v_token, 'UTF8')),
            v_all[1 : (select max(array_position(v_all, s)) from unnest(p_scopes) s)],
            p_tenant, now() + p_expires)
    on conflict (name) where revoked_at is null do nothing;
    if not found then
        raise exception using
            errcode = 'VE411',
            message = format('there is a token "%s" already', p_name),
            detail  = 'A token cannot be shown again.',
            hint    = format('Give another name, or SELECT evervec.revoke_token(%L); first.', p_name);
    end if;
    return v_token;
end
$$;

comment on function evervec.create_token(text, text[], text, interval) is
$$Makes a bearer token for the webhook and returns it, this once: only a hash of it is kept. p_name: whom it is for; unique among those that are not revoked. p_scopes: read (search, embed, look), write (process, generate, queue, retry, wake; and read), admin (resolve; and all else). p_tenant: whose provider profile pays for what is done with it (EVERVEC_PROFILES). p_expires: for how long it is good, NULL: until it is revoked. Raises VE111, VE411.$$;

revoke execute on function evervec.create_token(text, text[], text, interval) from public;
