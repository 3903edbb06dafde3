-- tokens: who may call the webhook.
--
-- Locks:  none.
create or replace function evervec.tokens()
returns table (
    name         text,
    scopes       text[],
    tenant       text,
    created_at   timestamptz,
    expires_at   timestamptz,
    revoked_at   timestamptz,
    last_used_at timestamptz
)
language sql stable security definer
set search_path from current
as $$
    select t.name, t.scopes, t.tenant, t.created_at, t.expires_at, t.revoked_at, t.last_used_at
      from evervec.api_token t
     order by t.created_at, t.name
$$;

comment on function evervec.tokens() is
$$The tokens that were made for the webhook, revoked ones too, the oldest first; not the tokens themselves. expires_at: NULL is never. last_used_at: to the minute.$$;

revoke execute on function evervec.tokens() from public;
