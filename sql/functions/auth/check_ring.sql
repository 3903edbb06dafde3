-- check_ring: whether a ring comes from this database, lately, and for the first time.
--
-- The signature comes first: who does not know the secret can fill no table. Nonces have one form, without a full stop: else one could move the
-- border between nonce and body, and the same signature would hold for another nonce. Digests are compared, not signatures: what the time of a
-- comparison tells is about a digest, from which no signature can be made.
-- Locks:  the nonce: a second ring with it waits for the first one's transaction.
-- needs: functions/auth/ring_signature.sql
-- needs: functions/auth/secret_values.sql
create or replace function evervec.check_ring(p_timestamp bigint, p_nonce text, p_body bytea, p_signature text)
returns text
language plpgsql volatile security definer
set search_path from current
as $$
declare
    v_given bytea := sha256(convert_to(p_signature, 'UTF8'));
begin
    if p_nonce !~ '^[0-9A-Za-z_-]{16,64}$' or not exists (
        select
          from evervec.secret_values('ring') as s (value)
         where sha256(convert_to(evervec.ring_signature(s.value, p_timestamp, p_nonce, p_body), 'UTF8')) = v_given
    ) then
        return 'bad';
    elsif abs(extract(epoch from clock_timestamp()) - p_timestamp) > 300 then
        return 'expired';
    end if;
    insert into evervec.ring_nonce (nonce) values (p_nonce) on conflict do nothing;
    return case when found then 'ok' else 'replayed' end;
end
$$;

comment on function evervec.check_ring(bigint, text, bytea, text) is
$$Checks a ring, for webhooks: ok, bad (not signed with the secret, or its former one within the overlap), expired (more than 5 minutes from the server's time), or replayed (its nonce was there before). p_timestamp: seconds since 1970; p_nonce: 16 to 64 letters, digits, - or _; p_signature: v1= and the hexadecimal HMAC-SHA256 of "<timestamp>.<nonce>.<body>".$$;

revoke execute on function evervec.check_ring(bigint, text, bytea, text) from public;
