-- cache_forget: removes what cache_put has kept about a user.
--
-- Not called cache_delete, which removes vectors of a source: two texts would mean the one or the other.
-- Locks:  the entries.
-- Raises: VE501 another user's · VE502 no user
-- needs: functions/people/check_user.sql
create or replace function evervec.cache_forget(p_user text, p_name text default null)
returns bigint
language plpgsql security definer
set search_path from current
as $$
declare
    -- Of a collation of the caller's, a text would not be looked up in an index.
    v_user    text collate "default" := p_user;
    v_name    text collate "default" := p_name;
    v_removed bigint;
begin
    perform evervec.check_user(p_user);
    delete from evervec.analysis_cache a where a.user_id = v_user and (v_name is null or a.name = v_name);
    get diagnostics v_removed = row_count;
    return v_removed;
end
$$;

comment on function evervec.cache_forget(text, text) is
$$Removes what cache_put has kept about a user under p_name, NULL (default): under any name; returns how many. Raises VE501, VE502.$$;

revoke execute on function evervec.cache_forget(text, text) from public;
