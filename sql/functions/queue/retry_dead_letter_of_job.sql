-- retry_dead_letter_of_job: as retry_dead_letter, by the id of the job that gave up.
--
-- Locks:  those of retry_dead_letter.
-- Raises: VE202 its key is none of the source's any more · VE303 a key too long for the queue · VE304 the job has no open letter, or its source is gone
create or replace function evervec.retry_dead_letter_of_job(p_job_id bigint)
returns bigint
language plpgsql security definer
set search_path from current
as $$
declare
    v_id bigint := (
        select max(d.dead_letter_id) from evervec.dead_letter d where d.job_id = p_job_id and d.resolved_at is null);
begin
    if v_id is null then
        raise exception using
            errcode = 'VE304',
            message = format('job %s has no open dead letter', coalesce(p_job_id::text, 'NULL')),
            detail  = format('It is %s.', (select s.state from evervec.job_status(p_job_id) s)),
            hint    = 'Those that are open: SELECT * FROM evervec.dead_letters();';
    end if;
    return evervec.retry_dead_letter(v_id);
end
$$;

comment on function evervec.retry_dead_letter_of_job(bigint) is
$$Queues the dead letter of a job anew and resolves it; returns the id of the new job, or of the one that its row has already. Raises VE202, VE303, VE304.$$;

revoke execute on function evervec.retry_dead_letter_of_job(bigint) from public;
