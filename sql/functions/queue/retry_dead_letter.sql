-- retry_dead_letter: one job that gave up is tried anew, from its first attempt.
--
-- Locks:  the dead letter; the job of its row, where there is one.
-- Raises: VE202 its key is none of the source's any more · VE303 a key too long for the queue ·
--         VE304 no such letter, or it is resolved, or its source is gone
create or replace function evervec.retry_dead_letter(p_dead_letter_id bigint)
returns bigint
language plpgsql security definer
set search_path from current
as $$
declare
    v_letter evervec.dead_letter := evervec.open_letter(p_dead_letter_id);
    v_source evervec.source;
begin
    select * into v_source from evervec.source s where s.source_id = v_letter.source_id;
    if not found and v_letter.source_id is not null then
        raise exception using
            errcode = 'VE304',
            message = format('the source of dead letter %s is not tracked any more', p_dead_letter_id),
            detail  = 'There is nothing that a retry could embed.',
            hint    = 'Call evervec.resolve_dead_letter().';
    elsif v_letter.row_key is not null then
        perform evervec.checked_keys(v_source, array[v_letter.row_key]);
    end if;
    return (select r.job_id from evervec.requeue_letters(array[p_dead_letter_id]) r);
end
$$;

comment on function evervec.retry_dead_letter(bigint) is
$$Queues a dead letter anew and resolves it; its attempts begin from one. Returns the id of the new job, or of the one that its row has already; metadata.origin of the job is dlq-retry. Raises VE202, VE303, VE304.$$;

revoke execute on function evervec.retry_dead_letter(bigint) from public;
