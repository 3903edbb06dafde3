-- cleanup_expired: forgets what is past its time, a slice of it; each kind has a function that says when that is.
--
-- One number for all kinds together bounds the transaction, and so how long anybody could wait for a row that it removes. In no order, so that
-- no kind, however much of it there is, keeps the others from their turn; but interactions last, whose lock on the whole table is held to the end.
-- Locks:  what is forgotten, SKIP LOCKED.
-- Raises: VE601 bad limit
create or replace function evervec.cleanup_expired(p_limit integer default 5000)
returns table (kind text, removed bigint)
language plpgsql volatile security definer
set search_path from current
as $$
declare
    v_call text;
    v_left bigint := p_limit;
begin
    perform evervec.check_slice(p_limit);
    for kind, v_call in
        select k.kind, k.call
          from (values
            ('access',               'forget_roles()'),
            ('analysis_cache',       'forget_analyses($1)'),
            ('api_token',            'forget_tokens($1)'),
            ('batch_log',            'forget_batches($1)'),
            ('dead_letter',          'forget_letters($1)'),
            ('embedding_cache',      'forget_cached($1)'),
            ('interaction',          'drop_partitions()'),
            ('interaction_key',      'forget_interaction_keys($1)'),
            ('job_receipt',          'forget_receipts($1)'),
            ('model_call',           'forget_calls($1)'),
            ('query_cache',          'forget_queries($1)'),
            ('recommendation_cache', 'forget_recommendations($1)'),
            ('ring_nonce',           'forget_nonces($1)'),
            ('search_cache',         'forget_results($1)'),
            ('secret',               'forget_secrets()')
          ) as k (kind, call)
         order by k.kind = 'interaction', random()
    loop
        removed := 0;
        if v_left > 0 then
            execute format('select evervec.%s', v_call) into removed using v_left::integer;
            v_left := v_left - removed;
        end if;
        return next;
    end loop;
end
$$;

comment on function evervec.cleanup_expired(integer) is
$$Forgets what is past its time, up to p_limit rows in all (default 5,000), and returns how many of each kind, by the name of its table; call it again until all are 0. job_receipt: of jobs older than 24 hours; batch_log: batches, and days of the view cost, older than 400 days (batch_log_keep); model_call: older than an hour; dead_letter: resolved for 7 days, older than 90 days, and the oldest beyond 100,000 (dead_letter_keep_resolved, dead_letter_keep, dead_letter_most); embedding_cache: vectors of texts not used for 30 days (cache_keep); query_cache: vectors of queries older than 24 hours, and the oldest beyond 10,000 (query_cache_keep, query_cache_most); search_cache: results of searches likewise (search_cache_keep, search_cache_most); recommendation_cache, analysis_cache: past the time that they were kept for; interaction: partitions older than a year (interaction_keep); interaction_key: older than 30 days (interaction_key_keep); ring_nonce: older than 10 minutes; secret: no longer good; api_token: ended for 90 days (token_keep); access: of roles that are gone. The names are those of evervec.setting. Raises VE601.$$;

revoke execute on function evervec.cleanup_expired(integer) from public;
