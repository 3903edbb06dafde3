-- with_failure: a job's history with one failed attempt more; of a long history the beginning goes, except for its first entry.
--
-- A class that never gives up would else grow its history for ever.
-- Locks:  none.
create or replace function evervec.with_failure(p_failures jsonb, p_error_class text, p_message text, p_status_code integer)
returns jsonb
language sql volatile
set search_path from current
as $$
    select (case when jsonb_array_length(p_failures) >= 20 then p_failures - 1 else p_failures end)
           || jsonb_build_object('at', clock_timestamp(), 'class', p_error_class, 'status', p_status_code,
                                 'message', left(p_message, 1000))
$$;

comment on function evervec.with_failure(jsonb, text, text, integer) is
$$Internal. The failures of a job with one more; the first and the last 19 are kept.$$;

revoke execute on function evervec.with_failure(jsonb, text, text, integer) from public;
