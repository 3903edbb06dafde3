-- cache_put: keeps what an application has found out about a user, for a time, under a name.
--
-- With a source it is only good until the user does something there: so the state that it was made from is kept with it.
-- Locks:  the entry.
-- Raises: VE101 unknown source · VE501 another user's · VE502 no user · VE515 no name, no value, or a bad confidence or time
-- needs: functions/people/check_user.sql
-- needs: functions/recommend/user_state.sql
create or replace function evervec.cache_put(
    p_user       text,
    p_name       text,
    p_value      jsonb,
    p_confidence real default 0.5,
    p_source     text default null,
    p_keep       interval default '24 hours'
)
returns void
language plpgsql security definer
set search_path from current
as $$
declare
    -- Of a collation of the caller's, a text would not be looked up in an index.
    v_user   text collate "default" := p_user;
    v_name   text collate "default" := p_name;
    v_source evervec.source;
begin
    perform evervec.check_user(p_user);
    if p_name is null or p_name !~ '\S' or octet_length(p_name) > 200 or p_value is null or octet_length(p_value::text) > 1000000
       or p_confidence between 0 and 1 is not true or p_keep > '0' is not true then
        raise exception using
            errcode = 'VE515',
            message = 'this cannot be kept',
            detail  = case when p_name is null or p_name !~ '\S' or octet_length(p_name) > 200 then 'p_name is a name of 1 to 200 bytes.'
                           when p_value is null then 'p_value is NULL, which cache_get returns where nothing is known.'
                           when octet_length(p_value::text) > 1000000 then 'p_value has more than 1,000,000 bytes.'
                           when p_confidence between 0 and 1 is not true then 'p_confidence is a number from 0 to 1.'
                           else 'p_keep is an interval of more than nothing.' end,
            hint    = 'For example: SELECT evervec.cache_put(''u1'', ''taste'', ''{"likes": "westerns"}'', 0.8);';
    end if;
    if p_source is not null then
        v_source := evervec.source_named(p_source);
    end if;
    insert into evervec.analysis_cache (user_id, name, source_id, value, confidence, inputs_hash, expires_at)
    values (v_user, v_name, v_source.source_id, p_value, p_confidence,
            case when p_source is not null then (evervec.user_state(v_user, v_source.name)).state end, now() + p_keep)
        on conflict (user_id, name) do update
       set source_id = excluded.source_id, value = excluded.value, confidence = excluded.confidence, inputs_hash = excluded.inputs_hash,
           created_at = now(), expires_at = excluded.expires_at;
end
$$;

comment on function evervec.cache_put(text, text, jsonb, real, text, interval) is
$$Keeps p_value, an analysis of a user that was dear to make, under p_name; in the place of what was there. p_confidence: from 0 to 1, how sure it is (default 0.5), for whoever reads evervec.analysis_cache. p_source: it was made from what the user did and has in that source, and is not used any more as soon as that changes. p_keep: how long it is good (default 24 hours). Raises VE101, VE501, VE502, VE515.$$;

revoke execute on function evervec.cache_put(text, text, jsonb, real, text, interval) from public;
