-- result_hash: what the result of a search is known by: the SHA-256 of all that decides it; NULL where none is kept.
--
-- Locks:  none.
-- needs: functions/cache/caller_context.sql
-- needs: functions/control/setting_interval.sql
create or replace function evervec.result_hash(
    p_source         evervec.source,
    p_query          vector,
    p_limit          integer,
    p_min_similarity real,
    p_exclude        jsonb[],
    p_user           name
)
returns bytea
language plpgsql stable
set search_path from current
as $$
declare
    v_context jsonb := evervec.caller_context(p_source, p_user);
begin
    if v_context is null or evervec.setting_interval('search_cache_keep', '24 hours') <= '0' then
        return null;
    end if;
    return sha256(convert_to(
        jsonb_build_array(v_context, sha256(vector_send(p_query)), p_limit, p_min_similarity, p_exclude)::text, 'UTF8'));
end
$$;

comment on function evervec.result_hash(evervec.source, vector, integer, real, jsonb[], name) is
$$Internal. SHA-256 of caller, source, query vector, limit, threshold, exclusions and settings of a search; NULL where its result is not kept.$$;

revoke execute on function evervec.result_hash(evervec.source, vector, integer, real, jsonb[], name) from public;
