-- keep_secret: puts a secret in the place of the one of its name, which stays good for the overlap.
--
-- In Supabase Vault where the owner of evervec may use it, else in a table that is his alone. The value must have been made in the database,
-- not written into a statement, which logs and pg_stat_activity would show.
-- Locks:  evervec.secret against others who keep one; readers go on.
-- needs: functions/auth/forget_secrets.sql
create or replace function evervec.keep_secret(p_name text, p_value text, p_overlap interval default '0')
returns void
language plpgsql
set search_path from current
as $$
declare
    v_vault_id uuid;
begin
    lock table evervec.secret in share row exclusive mode;
    update evervec.secret s set retires_at = now() + p_overlap where s.name = p_name and s.retires_at is null;
    perform evervec.forget_secrets();
    -- By its extension: a schema called vault might be anybody's.
    if exists (select from pg_extension e where e.extname = 'supabase_vault' and has_schema_privilege(e.extnamespace, 'usage')) then
        execute 'select vault.create_secret($1, $2)' into v_vault_id
          using p_value, format('evervec %s %s', p_name, gen_random_uuid());
    end if;
    insert into evervec.secret (name, value, vault_id)
    values (p_name, case when v_vault_id is null then p_value end, v_vault_id);
end
$$;

comment on function evervec.keep_secret(text, text, interval) is
$$Internal. Makes p_value the secret p_name; the former one is good for p_overlap longer. For the owner only.$$;

revoke execute on function evervec.keep_secret(text, text, interval) from public;
