-- begin_call: asks whether a request may be sent to a model now, for all workers on all machines.
--
-- A call counts against requests and tokens a minute from here until a minute after its end, and not after its beginning: it may reach
-- the provider at any time between, so no minute as the provider sees it has one call too many. In flight it counts as concurrent. A call
-- that nobody ends, because its worker was killed, ends when it expires. More tokens than a minute allows go when nothing else went.
--
-- Locks:  an advisory lock of the model and, where its limits say no, its row, to the end of the transaction: commit at once.
-- Raises: VE108 unknown model · VE301 bad arguments, or a transaction with one snapshot
-- needs: functions/control/setting_interval.sql
create or replace function evervec.begin_call(
    p_model     text,
    p_tokens    bigint,
    p_timeout   interval default '2 minutes',
    out call_id bigint,
    out wait    interval
)
language plpgsql security definer
set search_path from current
as $$
declare
    v_model  evervec.model := evervec.model_named(p_model);
    v_window interval := greatest(evervec.setting_interval('rate_window', '60 seconds'), '0');
    v_now    timestamptz;
begin
    if coalesce(p_tokens < 0, true) or coalesce(p_timeout <= interval '0', true)
       or current_setting('transaction_isolation') <> 'read committed' then
        raise exception using
            errcode = 'VE301', message = 'begin_call needs the tokens of the request, a time limit, and READ COMMITTED',
            detail  = format('p_tokens is %s, p_timeout is %s, the transaction is %s.', coalesce(p_tokens::text, 'NULL'),
                             coalesce(p_timeout::text, 'NULL'), current_setting('transaction_isolation')),
            hint    = 'In a transaction of its own: SELECT * FROM evervec.begin_call(''text-embedding-3-small'', 1200);';
    end if;
    perform pg_advisory_xact_lock(evervec.lock_key('calls of model ' || v_model.model_id));
    -- Only now: what the others began must be seen, and time has gone by.
    select * into v_model from evervec.model m where m.model_id = v_model.model_id;
    v_now := clock_timestamp();

    delete from evervec.model_call c
     where c.model_id = v_model.model_id and coalesce(c.finished_at, c.expires_at) <= v_now - v_window;

    with counted as materialized (
        -- frees_at: when it leaves the window at the earliest.
        select c.tokens, c.finished_at is null and c.expires_at > v_now as in_flight,
               coalesce(c.finished_at, least(c.expires_at, v_now)) + v_window as frees_at
          from evervec.model_call c
         where c.model_id = v_model.model_id
    ), ordered as (
        select c.frees_at, row_number() over (order by c.frees_at desc) as requests,
               sum(c.tokens) over (order by c.frees_at desc rows unbounded preceding) as tokens
          from counted c
    )
    select greatest(
               -- The newest that may stay are those that leave room for one more; the first beyond them must leave.
               (select max(o.frees_at) from ordered o where o.requests >= v_model.requests_per_minute),
               (select max(o.frees_at) from ordered o where o.tokens + p_tokens > v_model.tokens_per_minute),
               (select v_now + interval '100 milliseconds' from counted c where c.in_flight
                having count(*) >= v_model.concurrent_requests)) - v_now
      into wait;
    if wait is not null then
        wait := greatest(wait, interval '1 millisecond');
        update evervec.model m set full_until = v_now + wait where m.model_id = v_model.model_id;
    end if;
    if v_model.paused_until > v_now then
        -- Not full: resume_model ends a pause at any time, and then there is room. An end that nobody knows is asked for again.
        wait := greatest(wait, least(v_model.paused_until, v_now + interval '1 hour') - v_now);
    end if;
    if wait is not null then
        return;
    end if;

    insert into evervec.model_call (model_id, tokens, started_at, expires_at)
    values (v_model.model_id, p_tokens, v_now, v_now + p_timeout)
    returning model_call.call_id into call_id;
    wait := interval '0';
end
$$;

comment on function evervec.begin_call(text, bigint, interval) is
$$Asks whether a request of about p_tokens tokens may be sent to a model now, within its requests and tokens a minute and concurrent requests, whoever else sends. call_id: yes, tell end_call when it has ended, at the latest after p_timeout (default 2 minutes). NULL: not now; ask again after wait. Commit at once: the next caller waits for it. Raises VE108, VE301.$$;

revoke execute on function evervec.begin_call(text, bigint, interval) from public;
