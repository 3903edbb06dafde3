-- set_budget: how much a model, or a source, may spend on a day.
--
-- Once it is spent, claim_jobs gives out no jobs of the source, or of the model's sources, until midnight UTC; changes are logged and queued
-- meanwhile. What is in hand is completed, so a day may end some batches above its budget.
-- Locks:  the budget; the row of the model or source FOR KEY SHARE.
-- Raises: VE101 unknown source · VE108 unknown model · VE111 a model and a source, or neither; a value out of its range; money of a model without price
create or replace function evervec.set_budget(
    p_model        text default null,
    p_source       text default null,
    p_tokens_a_day bigint default null,
    p_cost_a_day   numeric default null
)
returns void
language plpgsql security definer
set search_path from current
as $$
declare
    v_model  evervec.model;
    v_source evervec.source;
begin
    if num_nonnulls(p_model, p_source) <> 1 then
        raise exception using
            errcode = 'VE111',
            message = 'a budget is that of one model or of one source',
            detail  = format('p_model is %s, p_source is %s.', coalesce(quote_literal(p_model), 'NULL'), coalesce(quote_literal(p_source), 'NULL')),
            hint    = 'For example: SELECT evervec.set_budget(p_source => ''film'', p_tokens_a_day => 1000000);';
    end if;
    if p_source is not null then
        v_source := evervec.source_named(p_source);
        select * into v_model from evervec.model m where m.model_id = v_source.model_id;
    else
        v_model := evervec.model_named(p_model);
    end if;
    if p_tokens_a_day <= 0 or p_cost_a_day <= 0 or p_cost_a_day >= 'Infinity' then
        raise exception using
            errcode = 'VE111',
            message = 'a budget must be more than nothing, and less than infinite',
            detail  = format('p_tokens_a_day is %s, p_cost_a_day is %s.', coalesce(p_tokens_a_day::text, 'NULL'), coalesce(p_cost_a_day::text, 'NULL')),
            hint    = 'NULL is unlimited, both NULL remove the budget; pause() and pause_model() stop the work.';
    end if;
    if p_cost_a_day is not null and coalesce(v_model.price_per_million_tokens, 0) = 0 then
        raise exception using
            errcode = 'VE111',
            message = format('nobody knows what model "%s" costs, so a budget of money would never be spent', v_model.name),
            detail  = 'It has no price per million tokens.',
            hint    = format('UPDATE evervec.model SET price_per_million_tokens = 0.02 WHERE name = %L; or give p_tokens_a_day.', v_model.name);
    end if;

    if num_nonnulls(p_tokens_a_day, p_cost_a_day) = 0 then
        delete from evervec.budget b
         where (b.model_id, b.source_id) is not distinct from (case when p_source is null then v_model.model_id end, v_source.source_id);
    else
        insert into evervec.budget as b (model_id, source_id, tokens_a_day, cost_a_day)
        values (case when p_source is null then v_model.model_id end, v_source.source_id, p_tokens_a_day, p_cost_a_day)
        on conflict (model_id, source_id) do update set tokens_a_day = excluded.tokens_a_day, cost_a_day = excluded.cost_a_day;
    end if;
end
$$;

comment on function evervec.set_budget(text, text, bigint, numeric) is
$$Says what a model or a source may spend on a day (UTC). p_model: of all its sources together. p_source: of this source; a source may have to keep to both. p_tokens_a_day, p_cost_a_day: in tokens as the provider counts them, and in the currency of the model's price; NULL is unlimited, and both NULL remove the budget. Once it is spent, no jobs are given out until midnight UTC, not even those that the cache could serve; what is in hand is completed, so that a day may end some batches above it. A provider that does not count tokens spends nothing. Raises VE101, VE108, VE111.$$;

revoke execute on function evervec.set_budget(text, text, bigint, numeric) from public;
