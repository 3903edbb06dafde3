-- budget_status: every budget, and how much of it is spent today.
--
-- Constant in time: a day has one row of evervec.spending a source and model. claim_jobs asks this at every call.
create or replace view evervec.budget_status as
select m.name as model,
       s.name as source,
       b.tokens_a_day,
       b.cost_a_day,
       coalesce(t.tokens, 0) as tokens_today,
       coalesce(t.cost, 0) as cost_today,
       coalesce(t.tokens >= b.tokens_a_day, false) or coalesce(t.cost >= b.cost_a_day, false) as spent
  from evervec.budget b
  left join evervec.model m using (model_id)
  left join evervec.source s using (source_id)
  cross join lateral (
    select sum(p.tokens)::bigint as tokens, sum(p.cost) as cost
      from evervec.spending p
     where p.day = (now() at time zone 'UTC')::date and (p.model = m.name or p.source = s.name)
  ) t;

comment on view evervec.budget_status is
$$One row a budget (see set_budget), of a model or of a source: what may be spent on a day, what is spent today (UTC), and whether its jobs wait for midnight UTC. A day's sums grow with each batch that is done; requests in flight are not counted.$$;
comment on column evervec.budget_status.model is $$The model whose budget it is; NULL: a source's.$$;
comment on column evervec.budget_status.source is $$The source whose budget it is; NULL: a model's.$$;
comment on column evervec.budget_status.tokens_a_day is $$Tokens that may be spent on a day; NULL: any number.$$;
comment on column evervec.budget_status.cost_a_day is $$Money that may be spent on a day, in the currency of the model's price; NULL: any sum.$$;
comment on column evervec.budget_status.tokens_today is $$Tokens of today, as the provider counted them.$$;
comment on column evervec.budget_status.cost_today is $$Cost of today, at the price that the model had.$$;
comment on column evervec.budget_status.spent is $$Whether nothing more is given out until midnight UTC.$$;
