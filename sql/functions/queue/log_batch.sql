-- log_batch: one line about a processed batch, with its cost at the model's price.
--
-- Locks:  ROW EXCLUSIVE on evervec.batch_log.
create or replace function evervec.log_batch(
    p_worker      text,
    p_source      text,
    p_model       text,
    p_claimed     integer,
    p_embedded    integer,
    p_unchanged   integer,
    p_failed      integer,
    p_tokens      bigint default 0,
    p_claim_ms    real default null,
    p_embed_ms    real default null,
    p_complete_ms real default null
)
returns void
language sql security definer
set search_path from current
as $$
    insert into evervec.batch_log
        (worker, source, model, claimed, embedded, unchanged, failed, tokens, cost, claim_ms, embed_ms, complete_ms)
    values
        (p_worker, p_source, p_model, p_claimed, p_embedded, p_unchanged, p_failed, p_tokens,
         (select m.price_per_million_tokens * p_tokens / 1000000 from evervec.model m where m.name = p_model),
         p_claim_ms, p_embed_ms, p_complete_ms)
$$;

comment on function evervec.log_batch(text, text, text, integer, integer, integer, integer, bigint, real, real, real) is
$$Records one processed batch: counts of jobs, tokens, durations in milliseconds. The cost follows from the model's price.$$;

revoke execute on function evervec.log_batch(text, text, text, integer, integer, integer, integer, bigint, real, real, real) from public;
