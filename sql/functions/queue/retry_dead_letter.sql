-- retry_dead_letter: one job that gave up is tried anew, from its first attempt.
--
-- Locks:  the dead letter; the job of its row, where there is one.
-- Raises: VE303 a key too long for the queue · VE304 no such letter, or it is resolved, or its source is gone
create or replace function evervec.retry_dead_letter(p_dead_letter_id bigint)
returns bigint
language plpgsql security definer
set search_path from current
as $$
declare
    v_letter evervec.dead_letter := evervec.open_letter(p_dead_letter_id);
    v_job_id bigint;
begin
    if octet_length(v_letter.row_key::text) > 2000 then
        raise exception using
            errcode = 'VE303',
            message = format('the key of dead letter %s is too long for the queue', p_dead_letter_id),
            detail  = format('It has %s bytes and begins with %s; an index holds 2,000.', octet_length(v_letter.row_key::text),
                             left(v_letter.row_key::text, 60)),
            hint    = 'Such a row cannot be embedded under this key. Track the table by a shorter primary key, and call evervec.resolve_dead_letter().';
    end if;
    select r.job_id into v_job_id from evervec.requeue_letters(array[p_dead_letter_id]) r;
    if v_job_id is null then
        raise exception using
            errcode = 'VE304',
            message = format('the source of dead letter %s is not tracked any more', p_dead_letter_id),
            detail  = 'There is nothing that a retry could embed.',
            hint    = 'Call evervec.resolve_dead_letter().';
    end if;
    return v_job_id;
end
$$;

comment on function evervec.retry_dead_letter(bigint) is
$$Queues a dead letter anew and resolves it; its attempts begin from one. Returns the id of the new job, or of the one that its row has already; metadata.origin of the job is dlq-retry. Raises VE303, VE304.$$;

revoke execute on function evervec.retry_dead_letter(bigint) from public;
