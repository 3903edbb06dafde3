-- finish_jobs: settles jobs, leased or about to be, by what became of their rows.
--
-- Done (completed, unchanged, gone, empty): the job goes and leaves a receipt, and open dead letters of its row are resolved, unless the row changed since the claim: then it is
-- pending again. superseded, retry: pending again. locked: pending again in five seconds, or more the longer that lasts. None of these costs an attempt.
-- Locks:  the jobs, which the caller has locked or leased in this transaction; dead letters of their rows, SKIP LOCKED.
create or replace function evervec.finish_jobs(p_job_ids bigint[], p_outcomes text[], p_notes text[] default null)
returns void
language sql
set search_path from current
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
as $$
    with settled as materialized (
        select u.job_id, u.outcome, u.note, u.outcome not in ('superseded', 'retry', 'locked') as done
          from unnest(p_job_ids, p_outcomes, p_notes) as u (job_id, outcome, note)
    ), removed as (
        delete from evervec.processing_queue q
         using settled s
         where q.job_id = s.job_id and s.done and (q.generation = q.claimed_generation or q.status = 'pending')
        returning q.*, s.outcome, s.note
    ), returned as (
        update evervec.processing_queue q
           set status = 'pending', lease_token = null, lease_expires_at = null, expiries = 0,
               -- The longer the row is held, the longer the next look at it can wait: an open transaction may stay for hours.
               available_at = case s.outcome
                   when 'locked' then now() + least(greatest((now() - q.created_at) / 2, interval '5 seconds'), interval '5 minutes')
                   else now() end
          from settled s
         where q.job_id = s.job_id and s.job_id not in (select r.job_id from removed r)
    ), answered as (
        -- Whatever the row once died of: it has what it should have.
        update evervec.dead_letter d
           set resolved_at = now(), resolved_by = 'evervec', note = format('job %s: %s', l.job_id, l.outcome)
          from (
            select o.dead_letter_id, r.job_id, r.outcome
              from removed r
              join evervec.dead_letter o on o.row_key = r.row_key and o.source_id = r.source_id and o.task_type = r.task_type
             where o.resolved_at is null
               for update of o skip locked
          ) l
         where d.dead_letter_id = l.dead_letter_id
    )
    insert into evervec.job_receipt
        (job_id, source_id, task_type, row_key, outcome, note, attempts, generation, metadata, created_at, started_at)
    select r.job_id, r.source_id, r.task_type, r.row_key, r.outcome, r.note, r.attempts, r.generation, r.metadata, r.created_at,
           coalesce(r.started_at, now())
      from removed r
$$;

comment on function evervec.finish_jobs(bigint[], text[], text[]) is
$$Internal. Removes jobs that are done, with a receipt, and returns the others to pending.$$;

revoke execute on function evervec.finish_jobs(bigint[], text[], text[]) from public;
