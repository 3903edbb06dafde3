-- sign_ring: what a ring needs besides its body so that the webhook believes it.
--
-- Locks:  none.
-- Raises: VE410 there is no secret
-- needs: functions/auth/ring_signature.sql
-- needs: functions/auth/secret_values.sql
create or replace function evervec.sign_ring(p_body bytea)
returns table ("timestamp" bigint, nonce text, signature text)
language plpgsql volatile
set search_path from current
as $$
declare
    v_secret text := (select s.value from evervec.secret_values('ring') as s (value) limit 1);
begin
    if v_secret is null then
        raise exception using
            errcode = 'VE410',
            message = 'rings cannot be signed: there is no secret',
            detail  = 'Nobody has called rotate_secret(), or the secret was kept in a vault that did not come along with this database.',
            hint    = 'SELECT evervec.rotate_secret();';
    end if;
    "timestamp" := floor(extract(epoch from clock_timestamp()));
    nonce := replace(gen_random_uuid()::text, '-', '');
    signature := evervec.ring_signature(v_secret, "timestamp", nonce, p_body);
    return next;
end
$$;

comment on function evervec.sign_ring(bytea) is
$$Internal. The headers of a ring with this body: X-Evervec-Timestamp (seconds since 1970), X-Evervec-Nonce and X-Evervec-Signature (v1=…). For the owner only. Raises VE410.$$;

revoke execute on function evervec.sign_ring(bytea) from public;
