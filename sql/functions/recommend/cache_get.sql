-- cache_get: what cache_put has kept about a user under a name, while it holds.
--
-- Locks:  none.
-- Raises: VE101 (its source is gone) · VE501 another user's · VE502 no user
-- needs: functions/people/check_user.sql
-- needs: functions/recommend/user_state.sql
create or replace function evervec.cache_get(p_user text, p_name text)
returns jsonb
language plpgsql stable security definer
set search_path from current
as $$
declare
    -- Of a collation of the caller's, a text would not be looked up in an index.
    v_user   text collate "default" := p_user;
    v_name   text collate "default" := p_name;
    v_kept   evervec.analysis_cache;
    v_source text collate "default";
begin
    perform evervec.check_user(p_user);
    select * into v_kept from evervec.analysis_cache a where a.user_id = v_user and a.name = v_name and a.expires_at > now();
    if v_kept.source_id is not null then
        select s.name into v_source from evervec.source s where s.source_id = v_kept.source_id;
        if (evervec.user_state(v_user, v_source)).state is distinct from v_kept.inputs_hash then
            return null;
        end if;
    end if;
    return v_kept.value;
end
$$;

comment on function evervec.cache_get(text, text) is
$$The value that cache_put has kept about a user under p_name; NULL: none, its time is over, or the user has done something else in its source since. Raises VE101, VE501, VE502.$$;

revoke execute on function evervec.cache_get(text, text) from public;
