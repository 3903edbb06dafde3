-- queue_health: one row a source: what waits, since when, and how fast it is worked off; for monitoring.
--
-- needs: views/status.sql
-- Rates are those of the last five minutes, or of the part of them in which something was done.
create or replace view evervec.queue_health as
select s.name as source,
       t.model,
       t.state,
       t.pending,
       t.processing,
       t.retrying,
       t.dead,
       w.backfill,
       r.row_count as rows,
       t.vectors,
       b.rows_a_minute,
       b.claim_ms,
       b.embed_ms,
       b.complete_ms,
       least(l.since, j.since) as oldest,
       case when w.work = 0 then interval '0'
            when b.rows_a_minute > 0 then make_interval(secs => ceil(60 * w.work / b.rows_a_minute)) end as eta,
       coalesce(t.archived, 0) as archived
  from evervec.source s
  join evervec.status t on s.name = t.source
  cross join lateral (select evervec.estimated_rows(s.relation) as row_count) r
  cross join lateral (select case when s.pass_kind is null then 0 else greatest(r.row_count - s.pass_examined, 1) end as backfill) p
  cross join lateral (select p.backfill, t.pending + t.processing + t.retrying + p.backfill as work) w
  left join (select source_id, min(logged_at) as since from evervec.change_log group by source_id) l using (source_id)
  left join (select source_id, min(created_at) as since from evervec.processing_queue group by source_id) j using (source_id)
  left join (
    select g.source,
           60 * sum(g.claimed - g.failed) / greatest(extract(epoch from now() - min(
               g.finished_at - make_interval(secs => (coalesce(g.claim_ms, 0) + coalesce(g.embed_ms, 0) + coalesce(g.complete_ms, 0)) / 1000)
           )), 1)::float8 as rows_a_minute,
           sum(g.claim_ms) / nullif(sum(g.claimed), 0) as claim_ms,
           sum(g.embed_ms) / nullif(sum(g.claimed), 0) as embed_ms,
           sum(g.complete_ms) / nullif(sum(g.claimed), 0) as complete_ms
      from evervec.batch_log g
     where g.finished_at > now() - interval '5 minutes'
     group by g.source
  ) b on s.name = b.source;

comment on view evervec.queue_health is
$$One row a source. model, state, pending, processing, retrying, dead, vectors, archived: as in status. backfill: an estimate of the rows that a pass under way has not looked at. oldest: since when the oldest change or job waits. rows: the planner's estimate for the table. rows_a_minute: settled in the last five minutes, by all workers; NULL: none. eta: until all that waits is done at that rate; NULL: nobody works. claim_ms, embed_ms, complete_ms: milliseconds a row, the mean of these minutes.$$;
