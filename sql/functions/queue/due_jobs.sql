-- due_jobs: the most urgent jobs that are due, locked: by priority, then by the time since which they wait.
--
-- One range of the pending index a priority and source (and one for tasks of no source), so that neither jobs that wait for a retry
-- nor those of a paused source, however many, are ever walked over. A job whose lease has
-- expired twice in succession is leased alone, because it may be what kills its workers: it ends the batch before it, or is the batch.
-- A plan may be kept from when the queue was empty, and has to hold when it has a million jobs: hence the settings.
-- Locks:  these jobs, and those beyond where the batch ends, SKIP LOCKED.
create or replace function evervec.due_jobs(p_limit bigint, p_sources integer[])
returns table (job evervec.processing_queue, suspect boolean)
language sql
set search_path from current
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
as $$
    with due as materialized (
        select q.job
          from generate_series(1, 10) as p (priority)
          cross join lateral (
            select c.job
              from (
                select w.*
                  from unnest(p_sources) as s (source_id)
                  cross join lateral (
                    select j as job, j.job_id, j.available_at
                      from evervec.processing_queue j
                     where j.status = 'pending' and j.priority = p.priority and j.source_id = s.source_id and j.available_at <= now()
                     order by j.available_at, j.job_id
                     limit p_limit
                       for update skip locked
                  ) w
                union all
                select t.*
                  from (
                    select j as job, j.job_id, j.available_at
                      from evervec.processing_queue j
                     where j.status = 'pending' and j.priority = p.priority and j.source_id is null and j.available_at <= now()
                     order by j.available_at, j.job_id
                     limit p_limit
                       for update skip locked
                  ) t
              ) c
             order by c.available_at, c.job_id
             limit p_limit
          ) q
         limit p_limit
    ), placed as (
        select d.job, (d.job).expiries >= 2 as suspect, row_number() over () as place from due d
    )
    select p.job, p.suspect
      from placed p
     where (p.place < (select min(s.place) from placed s where s.suspect)) is not false or p.place = 1
$$;

comment on function evervec.due_jobs(bigint, integer[]) is
$$Internal. Locks up to p_limit due jobs of the given sources, and tasks of no source, to be leased in this transaction. suspect: its lease has expired before, so it is the only one.$$;

revoke execute on function evervec.due_jobs(bigint, integer[]) from public;
