-- alerts: what somebody should look at now, by the thresholds in evervec.setting; for monitoring.
--
-- Reads neither the tracked tables nor their recipes, so it answers whatever is broken.
-- needs: functions/control/doctor_budget.sql
-- needs: functions/control/doctor_lists.sql
-- needs: functions/control/doctor_model.sql
-- needs: functions/control/doctor_protection.sql
-- needs: functions/control/doctor_signals.sql
-- needs: functions/control/doctor_triggers.sql
-- needs: functions/control/setting_interval.sql
-- needs: functions/control/setting_number.sql
-- needs: functions/index/index_due.sql
-- needs: functions/index/index_of.sql
-- needs: functions/queue/estimated_rows.sql
create or replace view evervec.alerts as
with change as (
    select l.source_id, count(*) as changes, min(l.logged_at) as since from evervec.change_log l group by l.source_id
),

job as (
    select q.source_id, min(q.created_at) as since from evervec.processing_queue q where q.status = 'pending' group by q.source_id
),

letter as (
    select d.source_id, count(*) as letters, min(d.first_failed_at) as since, sum(count(*)) over () as total
      from evervec.dead_letter d
     where d.resolved_at is null
     group by d.source_id
)

select null::text as source,
       'growing log' as alert,
       min(c.since) as since,
       format('%s changes have not been folded into the queue.', sum(c.changes)) as problem,
       'select * from evervec.tick();' as remedy
  from change c
having sum(c.changes) > evervec.setting_number('alert_change_log_rows', 100000)
union all
select s.name as source,
       'old work' as alert,
       least(c.since, j.since) as since,
       format('Work on "%s" has been waiting since %s; probably no worker is running.', s.name, least(c.since, j.since)) as problem,
       format('select * from evervec.pending(%L);', s.name) as remedy
  from evervec.source s
  left join change c using (source_id)
  left join job j using (source_id)
 where s.state = 'active' and least(c.since, j.since) < now() - evervec.setting_interval('alert_pending_age', '1 hour')
union all
select s.name as source,
       'dead letters' as alert,
       l.since,
       case when s.name is null then format('%s tasks gave up.', l.letters)
            else format('%s rows of "%s" gave up and have no vector of their present text.', l.letters, s.name) end as problem,
       format('select * from evervec.dead_letters(%s);', quote_literal(s.name)) as remedy
  from letter l
  left join evervec.source s using (source_id)
 where l.total > evervec.setting_number('alert_dead_letters', 50)
union all
select s.name as source, f.finding as alert, null as since, f.problem, f.remedy
  from evervec.source s
  cross join lateral evervec.doctor_model(s) f
union all
select s.name as source, f.finding as alert, null as since, f.problem, f.remedy
  from evervec.source s
  cross join lateral evervec.doctor_budget(s) f
union all
select s.name as source, f.finding as alert, null as since, f.problem, f.remedy
  from evervec.source s
  cross join lateral evervec.doctor_triggers(s) f
 where s.state <> 'suspended' and exists (select from pg_class c where c.oid = s.relation)
union all
select s.name as source, f.finding as alert, null as since, f.problem, f.remedy
  from evervec.source s
  cross join lateral evervec.doctor_protection(s) f
 where f.severity = 'error'
union all
select s.name as source, f.finding as alert, null as since, f.problem, f.remedy
  from evervec.source s
  cross join lateral evervec.doctor_signals(s) f
union all
select s.name as source, 'index not built' as alert, null as since,
       format('Searches of "%s" read all of its vectors (about %s): its index is missing, or not valid.', s.name, v.vectors) as problem,
       format('select evervec.build_index(%L);', s.name) as remedy
  from evervec.source s
  cross join lateral (select evervec.estimated_rows(s.target) as vectors) v
 where v.vectors >= evervec.setting_number('alert_vectors_without_index', 10000)
   and evervec.index_due(s)
   and (evervec.index_of(s)).valid is not true
union all
select s.name as source, f.finding as alert, null as since, f.problem, f.remedy
  from evervec.source s
  cross join lateral evervec.doctor_lists(s) f
union all
select s.name as source, 'failing' as alert, null as since, s.last_error as problem,
       format('select * from evervec.doctor(%L);', s.name) as remedy
  from evervec.source s
 where s.last_error is not null;

comment on view evervec.alerts is
$$What needs attention: a growing log, old work, dead letters (thresholds in evervec.setting), models that are paused, rate-limited, out of quota or without a valid key, budgets that are spent, missing or disabled triggers, vectors without the row-level security of their table, indexes that are not built, lists of ivfflat that do not fit, signals that fail, sources with an error. since: from when on, where that is known; problem: a sentence; remedy: the next statement. No rows: all is well.$$;
