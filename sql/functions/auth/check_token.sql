-- check_token: whom a bearer token stands for.
--
-- By its hash, which the caller computes: so the token is in no statement, no parameter, no log of the server. It is looked up in an index; what
-- the time of that tells is about a hash, from which no token can be made.
-- Locks:  the token, SKIP LOCKED, once a minute.
create or replace function evervec.check_token(p_token_hash bytea)
returns table (name text, scopes text[], tenant text)
language plpgsql volatile security definer
set search_path from current
as $$
declare
    v_minute constant timestamptz := date_trunc('minute', now());
    v_token  evervec.api_token;
begin
    select * into v_token
      from evervec.api_token t
     where t.token_hash = p_token_hash and t.revoked_at is null and (t.expires_at is null or t.expires_at > now());
    if not found then
        return;
    end if;
    if v_token.last_used_at is distinct from v_minute and not current_setting('transaction_read_only')::boolean then
        update evervec.api_token t
           set last_used_at = v_minute
         where t.ctid = (select o.ctid from evervec.api_token o where o.token_hash = p_token_hash for update skip locked);
    end if;
    return query select v_token.name, v_token.scopes, v_token.tenant;
end
$$;

comment on function evervec.check_token(bytea) is
$$Whom a token stands for, for webhooks; no row for a token that is unknown, expired or revoked. p_token_hash: the SHA-256 of the token. scopes: each includes those below it (admin, write, read). Notes that the token was used, once a minute.$$;

revoke execute on function evervec.check_token(bytea) from public;
