-- status: one row a source: what it is, and how much of its work is not done yet.
--
-- needs: views/budget_status.sql
-- vectors and archived are the planner's estimates, backfill the share of a pass that is still ahead; the other counts are exact.
create or replace view evervec.status as
select s.name as source,
       s.relation::text as relation,
       m.name as model,
       case when s.state = 'active'
                 and (s.name in (select b.source from evervec.budget_status b where b.spent)
                      or m.name in (select b.model from evervec.budget_status b where b.spent)) then 'budget spent'
            when m.paused_until > now() then 'model paused'
            else s.state end as state,
       coalesce(l.changes, 0) + coalesce(q.queued, 0) as pending,
       coalesce(q.processing, 0) as processing,
       coalesce(q.retrying, 0) as retrying,
       coalesce(d.letters, 0) as dead,
       e.row_count - e.archived as vectors,
       case when s.index_method = 'none' then 'none'
            when i.index is null then 'not built'
            when i.valid then 'valid'
            when i.building then 'building'
            else 'invalid' end as index_state,
       s.pass_kind is not null as backfill,
       round(i.progress::numeric, 2) as index_progress,
       coalesce(e.archived, 0) as archived
  from evervec.source s
  join evervec.model m using (model_id)
  cross join lateral evervec.index_of(s) i
  cross join lateral (select evervec.estimated_rows(s.target) as row_count, evervec.archived_rows(s) as archived) e
  left join (
    select source_id, count(*) as changes from evervec.change_log group by source_id
  ) l using (source_id)
  left join (
    select source_id,
           count(*) filter (where status = 'pending' and attempts = 0) as queued,
           count(*) filter (where status = 'processing') as processing,
           count(*) filter (where status = 'pending' and attempts > 0) as retrying
      from evervec.processing_queue
     group by source_id
  ) q using (source_id)
  left join (
    select source_id, count(*) as letters from evervec.dead_letter where resolved_at is null group by source_id
  ) d using (source_id);

comment on view evervec.status is
$$One row a source. state: active, paused, suspended, model paused, or budget spent (until midnight UTC, see budget_status). pending: changes not folded and jobs not tried yet; processing; retrying: jobs waiting for their next attempt; dead: open dead letters; these are exact, however many. vectors, archived: the planner's estimates, of rows with a vector and of those whose vector archive has dropped; index_state: none, not built, building (concurrently), invalid, valid; backfill: whether a pass over all rows is under way; index_progress: of building, 0 to 0.99, NULL where your role may not see it.$$;
