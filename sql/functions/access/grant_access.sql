-- grant_access: gives a role the rights that a reader, a writer, a worker or an admin needs, on what there is and on what will be.
--
-- Locks:  none that matter.
-- Raises: VE111 unknown kind · VE214 no such role, or the owner of evervec
-- needs: functions/access/renew_access.sql
create or replace function evervec.grant_access(p_role name, p_kind text)
returns boolean
language plpgsql
set search_path from current
as $$
declare
    v_role regrole := evervec.check_role(p_role);
    v_new  boolean;
begin
    perform evervec.check_option('p_kind', p_kind, array['reader', 'writer', 'worker', 'admin']);
    insert into evervec.access (role, kind) values (v_role, p_kind) on conflict do nothing;
    v_new := found;
    perform evervec.renew_access();
    return v_new;
end
$$;

comment on function evervec.grant_access(name, text) is
$$Gives a role the rights of a kind, on all sources, those tracked later too; false when it had them. p_role: must exist, and may be given several kinds. p_kind: reader (searches, as itself, under the policies of its tables), writer (brings vectors, queues rows, asks about jobs), worker (embeds, and sees nothing but the texts that it claims), admin (watches, pauses, retries, changes limits). Nothing on tables of yours is granted: a reader needs SELECT on what it may see of a table with row-level security. Raises VE111, VE214.$$;

revoke execute on function evervec.grant_access(name, text) from public;
