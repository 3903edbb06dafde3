-- cleanup_expired: forgets what is past its time, a slice of each kind; each kind has a function that says when that is.
--
-- Locks:  what is forgotten, SKIP LOCKED.
-- needs: functions/auth/forget_nonces.sql
-- needs: functions/auth/forget_secrets.sql
-- needs: functions/cache/forget_cached.sql
-- needs: functions/cache/forget_queries.sql
-- needs: functions/cache/forget_results.sql
-- needs: functions/cost/forget_batches.sql
-- needs: functions/model/forget_calls.sql
-- needs: functions/queue/forget_letters.sql
-- needs: functions/queue/forget_receipts.sql
create or replace function evervec.cleanup_expired(p_limit integer default 50000)
returns bigint
language sql volatile security definer
set search_path from current
as $$
    select evervec.forget_receipts(p_limit)
         + evervec.forget_batches(p_limit)
         + evervec.forget_calls(p_limit)
         + evervec.forget_letters(p_limit)
         + evervec.forget_cached(p_limit)
         + evervec.forget_queries(p_limit)
         + evervec.forget_results(p_limit)
         + evervec.forget_nonces(p_limit)
         + evervec.forget_secrets()
$$;

comment on function evervec.cleanup_expired(integer) is
$$Forgets what is past its time, and returns how many rows that were: receipts of jobs older than 24 hours; batches, and days of the view cost, older than 400 days (batch_log_keep); calls to limited models older than an hour; dead letters resolved for 7 days, older than 90 days, and the oldest beyond 100,000 (dead_letter_keep_resolved, dead_letter_keep, dead_letter_most); cached vectors that were not used for 30 days (cache_keep); vectors of queries older than 24 hours, and the oldest beyond 10,000 (query_cache_keep, query_cache_most); results of searches likewise (search_cache_keep, search_cache_most); nonces of rings older than 10 minutes, and secrets that are no longer good. The names are those of evervec.setting. p_limit: at most so many of each kind (default 50,000); call it again while it returns anything but 0.$$;

revoke execute on function evervec.cleanup_expired(integer) from public;
