-- tick: the upkeep that needs no provider: folds, follows renames and new partitions, takes back expired leases, forgets old receipts, batches,
-- calls, dead letters, cached vectors of texts and queries, and results of searches.
--
-- Workers do the first two on every claim; a scheduler calls this once a minute where workers may be away.
-- needs: functions/control/setting_interval.sql
-- Locks:  those of fold, reclaim, and rows of what is forgotten.
create or replace function evervec.tick(
    out folded    bigint,
    out reclaimed bigint,
    out cleaned   bigint
)
language plpgsql security definer
set search_path from current
as $$
declare
    v_oldest timestamptz := now() - evervec.setting_interval('batch_log_keep', '400 days');
begin
    folded := evervec.fold(100000);
    perform evervec.follow_renames(evervec.active_sources());
    reclaimed := evervec.reclaim(10000);
    with old_receipts as (
        delete from evervec.job_receipt r
         where r.ctid in (select o.ctid from evervec.job_receipt o where o.finished_at < now() - interval '24 hours' limit 10000)
        returning 1
    ), old_batches as (
        delete from evervec.batch_log b
         where b.ctid = any (array(select o.ctid from evervec.batch_log o where o.finished_at < v_oldest limit 10000 for update skip locked))
        returning 1
    ), old_days as (
        delete from evervec.spending p
         where p.ctid = any (array(select o.ctid from evervec.spending o where o.day < (v_oldest at time zone 'UTC')::date limit 10000 for update skip locked))
        returning 1
    ), old_calls as (
        delete from evervec.model_call c
         where c.ctid in (select o.ctid from evervec.model_call o where coalesce(o.finished_at, o.expires_at) < now() - interval '1 hour' limit 10000)
        returning 1
    )
    select (select count(*) from old_receipts) + (select count(*) from old_batches) + (select count(*) from old_days) + (select count(*) from old_calls)
           + evervec.forget_letters() + evervec.forget_cached() + evervec.forget_queries() + evervec.forget_results()
      into cleaned;
end
$$;

comment on function evervec.tick() is
$$Upkeep in one short call: folds up to 100,000 changes, takes back up to 10,000 expired leases, forgets receipts older than 24 hours, batches and days of the view cost older than 400 days (batch_log_keep) and calls to limited models older than an hour (10,000 each), dead letters: those resolved for 7 days, those older than 90 days, and the oldest beyond 100,000 (settings dead_letter_keep_resolved, dead_letter_keep, dead_letter_most), up to 10,000 cached vectors that were not used for 30 days (cache_keep), and vectors of queries: those older than 24 hours, and the oldest beyond 10,000 (query_cache_keep, query_cache_most), and results of searches likewise (search_cache_keep, search_cache_most). Call it again while it returns anything but zeros.$$;

revoke execute on function evervec.tick() from public;
