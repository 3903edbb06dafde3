-- due_jobs: the most urgent jobs that are due, locked: by priority, then by the time since which they wait.
--
-- Candidates are read without locks, one range of the pending index a priority and source (and one for tasks of no source), so that neither
-- jobs that wait for a retry nor those of a paused source, however many, are ever walked over. Only what is handed out is locked: other
-- workers find the rest. Where they hold candidates, further ones are looked at, twice as many each time, until the batch is full.
-- A job whose lease has expired twice in succession is leased alone, because it may be what kills its workers: it ends the batch before it,
-- or is the batch.
-- A plan may be kept from when the queue was empty, and has to hold when it has a million jobs: hence the settings.
-- Locks:  these jobs, and up to 50 beyond where a suspect ends the batch, SKIP LOCKED.
create or replace function evervec.due_jobs(p_limit bigint, p_sources integer[])
returns table (job evervec.processing_queue, suspect boolean)
language plpgsql
set search_path from current
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
as $$
declare
    v_left   bigint := p_limit;
    v_window bigint;
    v_ids    bigint[];
    v_times  timestamptz[];
    v_id     bigint;
    v_time   timestamptz;
begin
    for v_priority in 1 .. 10 loop
        v_window := v_left;
        v_time := '-infinity';
        v_id := 0;
        loop
            select array_agg(c.job_id order by c.available_at, c.job_id), array_agg(c.available_at order by c.available_at, c.job_id)
              into v_ids, v_times
              from (
                select w.job_id, w.available_at
                  from unnest(p_sources) as s (source_id)
                  cross join lateral (
                    select j.job_id, j.available_at
                      from evervec.processing_queue j
                     where j.status = 'pending' and j.priority = v_priority and j.source_id = s.source_id
                       and j.available_at <= now() and (j.available_at, j.job_id) > (v_time, v_id)
                     order by j.available_at, j.job_id
                     limit v_window
                  ) w
                union all
                select t.job_id, t.available_at
                  from (
                    select j.job_id, j.available_at
                      from evervec.processing_queue j
                     where j.status = 'pending' and j.priority = v_priority and j.source_id is null
                       and j.available_at <= now() and (j.available_at, j.job_id) > (v_time, v_id)
                     -- IS NULL does not tell the planner that the index has them in this order already.
                     order by j.source_id, j.available_at, j.job_id
                     limit v_window
                  ) t
                 order by available_at, job_id
                 limit v_window
              ) c;
            exit when v_ids is null;

            for job in
                select q.*
                  from unnest(v_ids, v_times) with ordinality as u (job_id, available_at, place)
                  join evervec.processing_queue q on q.job_id = u.job_id
                 -- Somebody may have leased it since, or put it elsewhere, where it is found, or was, as what it is now.
                 -- Pending is who has no lease; said by its status it would let a kept plan walk over all that are pending, once a job.
                 where q.lease_token is null and q.priority = v_priority and q.available_at = u.available_at
                 order by u.place
                 limit v_left
                   for update of q skip locked
            loop
                suspect := job.expiries >= 2;
                exit when suspect and v_left < p_limit;
                return next;
                v_left := v_left - 1;
                exit when suspect;
            end loop;
            if suspect or v_left = 0 then
                return;
            end if;
            exit when cardinality(v_ids) < v_window;
            v_time := v_times[v_window];
            v_id := v_ids[v_window];
            v_window := 2 * v_window;
        end loop;
    end loop;
end
$$;

comment on function evervec.due_jobs(bigint, integer[]) is
$$Internal. Locks up to p_limit due jobs of the given sources, and tasks of no source, to be leased in this transaction. suspect: its lease has expired before, so it is the only one.$$;

revoke execute on function evervec.due_jobs(bigint, integer[]) from public;
