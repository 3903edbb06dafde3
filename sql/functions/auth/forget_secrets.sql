-- forget_secrets: removes secrets that are no longer good.
--
-- Locks:  what is forgotten.
create or replace function evervec.forget_secrets()
returns bigint
language plpgsql
set search_path from current
as $$
declare
    v_forgotten bigint;
    v_vault_ids uuid[];
begin
    with gone as (
        delete from evervec.secret s where s.retires_at <= now() returning s.vault_id
    )
    select count(*), array_agg(g.vault_id) filter (where g.vault_id is not null) into v_forgotten, v_vault_ids from gone g;
    if v_vault_ids is not null then
        execute 'delete from vault.secrets s where s.id = any ($1)' using v_vault_ids;
    end if;
    return v_forgotten;
end
$$;

comment on function evervec.forget_secrets() is
$$Internal. Removes the secrets whose time is over, from the vault too; returns how many.$$;

revoke execute on function evervec.forget_secrets() from public;
