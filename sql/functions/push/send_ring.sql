-- send_ring: one signed ring of the webhook; says only that there is something to look for.
--
-- pg_net keeps requests where everybody may read them: so neither data nor secret is in it.
-- Locks:  none.
-- Raises: VE410 there is no secret
-- needs: functions/auth/sign_ring.sql
-- needs: functions/push/post_json.sql
-- needs: functions/push/pg_net.sql
create or replace function evervec.send_ring(p_transport text)
returns integer
language plpgsql
set search_path from current
as $$
declare
    -- Signed as pg_net sends it: in the form that jsonb has as text.
    c_body    constant jsonb    := jsonb '{"evervec": "ring"}';
    c_timeout constant interval := interval '1 second';
    v_url     text := (select p.url || '/v1/wake' from evervec.push p);
    v_headers jsonb;
    v_status  integer;
begin
    select jsonb_build_object('Content-Type', 'application/json', 'X-Evervec-Timestamp', r."timestamp"::text,
                              'X-Evervec-Nonce', r.nonce, 'X-Evervec-Signature', r.signature)
      into v_headers
      from evervec.sign_ring(convert_to(c_body::text, 'UTF8')) r;
    if p_transport = 'pg_net' then
        execute 'select ' || evervec.pg_net() || '($1, $2, ''{}'', $3, $4)'
          using v_url, c_body, v_headers, (extract(epoch from c_timeout) * 1000)::integer;
    else
        select r.status into v_status from evervec.post_json(v_url, v_headers - 'Content-Type', c_body::text, c_timeout) r;
    end if;
    return v_status;
end
$$;

comment on function evervec.send_ring(text) is
$$Internal. Rings the webhook by pg_net, which sends after commit, or http, which waits up to a second for the answer and gives its status. Raises VE410.$$;

revoke execute on function evervec.send_ring(text) from public;
