-- has_work: whether a worker would find anything to do now.
--
-- A range of the pending index a priority and source (and one for tasks of no source), as in due_jobs, so that jobs which wait are not
-- walked over; hence the settings.
-- Locks:  none.
-- needs: functions/queue/active_sources.sql
create or replace function evervec.has_work()
returns boolean
language sql stable
set search_path from current
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
as $$
    with active as materialized (
        select unnest(evervec.active_sources()) as source_id
    )
    select exists (select from evervec.change_log)
        or exists (select from evervec.source s join active a using (source_id) where s.pass_kind is not null)
        or exists (
            select
              from active a
              cross join generate_series(1, 10) as p (priority)
              join evervec.processing_queue q on q.status = 'pending' and q.priority = p.priority and q.source_id = a.source_id
                                             and q.available_at <= now())
        or exists (
            select
              from generate_series(1, 10) as p (priority)
              join evervec.processing_queue q on q.status = 'pending' and q.priority = p.priority and q.source_id is null
                                             and q.available_at <= now())
$$;

comment on function evervec.has_work() is
$$Internal. Whether there are changes to fold, a pass under way, or jobs that are due.$$;

revoke execute on function evervec.has_work() from public;
