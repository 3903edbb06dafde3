-- retry_delay: how long a job waits before its next attempt.
--
-- Locks:  none.
create or replace function evervec.retry_delay(p_policy evervec.retry_policy, p_attempts integer)
returns interval
language sql volatile
set search_path from current
as $$
    select least(p_policy.base_delay * power(2, least(greatest(p_attempts - 1, 0), 20)), p_policy.max_delay)
           * (1 + p_policy.jitter * random())
$$;

comment on function evervec.retry_delay(evervec.retry_policy, integer) is
$$Internal. base × 2^(attempts − 1), at most max_delay, plus up to the policy's jitter of it.$$;

revoke execute on function evervec.retry_delay(evervec.retry_policy, integer) from public;
