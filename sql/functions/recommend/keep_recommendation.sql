-- keep_recommendation: keeps what was recommended to a user, for the next time.
--
-- Without a unique key, so that of two who bring the same neither waits for the other; one of theirs is found.
-- Locks:  what was kept before, SKIP LOCKED.
-- Raises: VE501 another user's · VE502 no user
-- needs: functions/control/setting_interval.sql
-- needs: functions/people/check_user.sql
create or replace function evervec.keep_recommendation(
    p_user         text,
    p_source_id    integer,
    p_context_hash bytea,
    p_seen         pg_snapshot,
    p_row_keys     jsonb[],
    p_scores       real[],
    p_similarities real[],
    p_because      jsonb[]
)
returns void
language plpgsql security definer
set search_path from current
as $$
begin
    perform evervec.check_user(p_user);
    if p_context_hash is null or cardinality(p_row_keys) > 1000
       or cardinality(p_row_keys) <> all (array[cardinality(p_scores), cardinality(p_similarities), cardinality(p_because)]) then
        return;
    end if;
    -- What has expired goes too, so that a user has but a few.
    delete from evervec.recommendation_cache d
     where d.ctid = any (array(
        select r.ctid
          from evervec.recommendation_cache r
         where r.user_id = p_user and (r.context_hash = p_context_hash or r.expires_at <= now())
           for update skip locked));
    insert into evervec.recommendation_cache (user_id, source_id, context_hash, seen, row_keys, scores, similarities, because, expires_at)
    values (p_user, p_source_id, p_context_hash, p_seen, p_row_keys, p_scores, p_similarities, p_because,
            now() + evervec.setting_interval('recommendation_keep', '1 hour'));
end
$$;

comment on function evervec.keep_recommendation(text, integer, bytea, pg_snapshot, jsonb[], real[], real[], jsonb[]) is
$$Internal. Keeps what recommend found; p_context_hash NULL: nothing is kept; p_seen: a snapshot taken before it. Raises VE501, VE502.$$;

revoke execute on function evervec.keep_recommendation(text, integer, bytea, pg_snapshot, jsonb[], real[], real[], jsonb[]) from public;
