-- ring_signature: what stands in the header X-Evervec-Signature of a ring.
--
-- Locks:  none.
-- needs: functions/auth/hmac_sha256.sql
create or replace function evervec.ring_signature(p_secret text, p_timestamp bigint, p_nonce text, p_body bytea)
returns text
language sql stable
set search_path from current
as $$
    select 'v1=' || encode(
        evervec.hmac_sha256(convert_to(format('%s.%s.', p_timestamp, p_nonce), 'UTF8') || p_body, convert_to(p_secret, 'UTF8')), 'hex')
$$;

comment on function evervec.ring_signature(text, bigint, text, bytea) is
$$Internal. v1= and the hexadecimal HMAC-SHA256 of "<timestamp>.<nonce>.<body>".$$;

revoke execute on function evervec.ring_signature(text, bigint, text, bytea) from public;
