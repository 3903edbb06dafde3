-- cleanup_expired: forgets what is past its time, a slice of it; what has more to it than a condition has a function of its own.
--
-- One number for all kinds together bounds the transaction, and so how long anybody could wait for a row that it removes. In no order, so that
-- no kind, however much of it there is, keeps the others from their turn; but interactions last, whose lock on the whole table is held to the end.
-- The time before which rows are forgotten is a subquery, which is run once and not for each row.
-- Locks:  what is forgotten, SKIP LOCKED.
-- Raises: VE601 bad limit
-- needs: functions/schedule/forget_rows.sql
create or replace function evervec.cleanup_expired(p_limit integer default 5000)
returns table (kind text, removed bigint)
language plpgsql volatile security definer
set search_path from current
as $$
declare
    v_forget text;
    v_left   bigint := p_limit;
begin
    perform evervec.check_slice(p_limit);
    for kind, v_forget in
        select k.kind, coalesce(k.call, format('forget_rows(%L, %L, $1)', k.kind, k.condition))
          from (values
            ('access',               'forget_roles()', null),
            ('analysis_cache',       null, 'o.expires_at <= now()'),
            ('api_token',            null, $sql$least(o.revoked_at, o.expires_at) < (select now() - evervec.setting_interval('token_keep', '90 days'))$sql$),
            ('batch_log',            null, $sql$o.finished_at < (select now() - evervec.setting_interval('batch_log_keep', '400 days'))$sql$),
            ('dead_letter',          'forget_letters($1)', null),
            ('embedding_cache',      null, $sql$o.used_at < (select now() - evervec.setting_interval('cache_keep', '30 days'))$sql$),
            ('interaction',          'drop_partitions()', null),
            ('interaction_key',      null, $sql$o.created_at < (select now() - evervec.setting_interval('interaction_key_keep', '30 days'))$sql$),
            ('job_receipt',          null, $sql$o.finished_at < now() - interval '24 hours'$sql$),
            -- begin_call forgets those of the model that it is asked about; these are of models that nobody uses any more.
            ('model_call',           null, $sql$coalesce(o.finished_at, o.expires_at) < now() - interval '1 hour'$sql$),
            ('query_cache',          'forget_queries($1)', null),
            ('recommendation_cache', null, 'o.expires_at <= now()'),
            -- A ring may be dated up to 5 minutes ahead, and is good until 5 minutes after its date.
            ('ring_nonce',           null, $sql$o.seen_at < now() - interval '10 minutes'$sql$),
            ('search_cache',         'forget_results($1)', null),
            ('secret',               'forget_secrets()', null),
            ('spending',             null,
             $sql$o.day < (select ((now() - evervec.setting_interval('batch_log_keep', '400 days')) at time zone 'UTC')::date)$sql$)
          ) as k (kind, call, condition)
         order by k.kind = 'interaction', random()
    loop
        removed := 0;
        if v_left > 0 then
            execute format('select evervec.%s', v_forget) into removed using v_left::integer;
            v_left := v_left - removed;
        end if;
        return next;
    end loop;
end
$$;

comment on function evervec.cleanup_expired(integer) is
$$Forgets what is past its time, up to p_limit rows in all (default 5,000), and returns how many of each kind, by the name of its table; call it again until all are 0. job_receipt: of jobs older than 24 hours; batch_log, spending: batches, and days of the view cost, older than 400 days (batch_log_keep); model_call: older than an hour; dead_letter: resolved for 7 days, older than 90 days, and the oldest beyond 100,000 (dead_letter_keep_resolved, dead_letter_keep, dead_letter_most); embedding_cache: vectors of texts not used for 30 days (cache_keep); query_cache: vectors of queries older than 24 hours, and the oldest beyond 10,000 (query_cache_keep, query_cache_most); search_cache: results of searches likewise (search_cache_keep, search_cache_most); recommendation_cache, analysis_cache: past the time that they were kept for; interaction: partitions older than a year (interaction_keep); interaction_key: older than 30 days (interaction_key_keep); ring_nonce: older than 10 minutes; secret: no longer good; api_token: ended for 90 days (token_keep); access: of roles that are gone. The names are those of evervec.setting. Raises VE601.$$;

revoke execute on function evervec.cleanup_expired(integer) from public;
