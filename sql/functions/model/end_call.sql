-- end_call: says that a request that begin_call allowed has ended, well or not.
--
-- Locks:  the call.
create or replace function evervec.end_call(p_call_id bigint, p_tokens bigint default null)
returns boolean
language sql security definer
set search_path from current
as $$
    with ended as (
        update evervec.model_call c
           set finished_at = clock_timestamp(), tokens = case when p_tokens >= 0 then p_tokens else c.tokens end
         where c.call_id = p_call_id and c.finished_at is null
        returning 1
    )
    select exists (select from ended)
$$;

comment on function evervec.end_call(bigint, bigint) is
$$Ends a call of begin_call; p_tokens: what it really had (NULL: what was said then). Returns false for one that is not known or has ended already.$$;

revoke execute on function evervec.end_call(bigint, bigint) from public;
