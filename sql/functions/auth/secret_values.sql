-- secret_values: the secrets of a name that are good now, the present one first.
--
-- Locks:  none.
create or replace function evervec.secret_values(p_name text)
returns setof text
language plpgsql stable
set search_path from current
as $$
declare
    v_secret evervec.secret;
begin
    for v_secret in
        select *
          from evervec.secret s
         where s.name = p_name and (s.retires_at is null or s.retires_at > clock_timestamp())
         order by s.retires_at desc nulls first
    loop
        if v_secret.vault_id is null then
            return next v_secret.value;
        else
            return query execute 'select d.decrypted_secret from vault.decrypted_secrets d where d.id = $1' using v_secret.vault_id;
        end if;
    end loop;
end
$$;

comment on function evervec.secret_values(text) is
$$Internal. The values of a secret: the present one, then former ones that are still good. For the owner only.$$;

revoke execute on function evervec.secret_values(text) from public;
