-- log_batch: what became of one processed batch, source by source, with its cost at the models' prices.
--
-- One call a batch. The day's sums (evervec.spending) are what budgets and the view cost go by.
-- Locks:  the sums of today of these sources, in the order of their names: commit at once.
-- Raises: VE301 bad counts
create or replace function evervec.log_batch(
    p_worker      text,
    p_counts      jsonb,
    p_claim_ms    real default null,
    p_embed_ms    real default null,
    p_complete_ms real default null
)
returns void
language plpgsql security definer
set search_path from current
as $$
declare
    v_message text;
begin
    with counted as (
        select c.source, c.model, coalesce(c.claimed, 0) as claimed, coalesce(c.embedded, 0) as embedded, coalesce(c.cached, 0) as cached,
               coalesce(c.unchanged, 0) as unchanged, coalesce(c.failed, 0) as failed, coalesce(c.requests, 0) as requests,
               coalesce(c.tokens, 0) as tokens, m.price_per_million_tokens * coalesce(c.tokens, 0) / 1000000 as cost,
               c.claimed::real / nullif(sum(c.claimed) over (), 0) as share
          from jsonb_to_recordset(p_counts) as c (source text, model text, claimed integer, embedded integer, cached integer, unchanged integer,
                                                  failed integer, requests integer, tokens bigint)
          left join evervec.model m on m.name = c.model
    ), logged as (
        insert into evervec.batch_log
            (worker, source, model, claimed, embedded, cached, unchanged, failed, requests, tokens, cost, claim_ms, embed_ms, complete_ms)
        select p_worker, c.source, c.model, c.claimed, c.embedded, c.cached, c.unchanged, c.failed, c.requests, c.tokens, c.cost,
               p_claim_ms * c.share, p_embed_ms * c.share, p_complete_ms * c.share
          from counted c
    )
    insert into evervec.spending as s (day, source, model, requests, embedded, cached, unchanged, failed, tokens, cost)
    select (now() at time zone 'UTC')::date, c.source, c.model, sum(c.requests), sum(c.embedded), sum(c.cached), sum(c.unchanged), sum(c.failed),
           sum(c.tokens), sum(c.cost)
      from counted c
     where c.source is not null and c.model is not null
     group by c.source, c.model
     order by c.source, c.model
    on conflict (day, source, model) do update
       set requests  = s.requests + excluded.requests,
           embedded  = s.embedded + excluded.embedded,
           cached    = s.cached + excluded.cached,
           unchanged = s.unchanged + excluded.unchanged,
           failed    = s.failed + excluded.failed,
           tokens    = s.tokens + excluded.tokens,
           cost      = coalesce(s.cost + excluded.cost, s.cost, excluded.cost);
exception when data_exception or check_violation then
    get stacked diagnostics v_message = message_text;
    raise exception using
        errcode = 'VE301',
        message = 'log_batch needs the counts of a batch: an array of objects, one a source',
        detail  = v_message,
        hint    = 'For example: SELECT evervec.log_batch(''worker-1'', ''[{"source": "film", "model": "local", "claimed": 10, "embedded": 10, "requests": 1, "tokens": 320}]'');';
end
$$;

comment on function evervec.log_batch(text, jsonb, real, real, real) is
$$Records one processed batch in batch_log and the view cost. p_counts: an array of objects, one a source, with its name and its model's, and of its jobs: claimed, embedded, cached, unchanged, failed; of the provider: requests, tokens; what is left out is 0. A source or model that is NULL is recorded, and costs nothing. p_claim_ms, p_embed_ms, p_complete_ms: milliseconds of the whole batch, divided among its sources by their jobs. The cost follows from the model's price. Commit at once: other workers add to the same sums. Raises VE301.$$;

revoke execute on function evervec.log_batch(text, jsonb, real, real, real) from public;
