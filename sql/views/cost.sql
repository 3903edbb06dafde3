-- cost: what each day cost, by source and model.
--
-- From sums that log_batch keeps, so it does not read the batches. They are kept as long (setting batch_log_keep), and outlive the source.
create or replace view evervec.cost as
select p.day, p.source, p.model, p.requests, p.embedded as texts, p.cached, p.unchanged, p.failed, p.tokens, p.cost
  from evervec.spending p;

comment on view evervec.cost is
$$One row a day (UTC), source and model: what workers asked of the provider, and what they did not have to ask. Searches are not counted. Kept for setting batch_log_keep (400 days), also of sources that are gone.$$;
comment on column evervec.cost.day is $$The UTC date on which the batches ended.$$;
comment on column evervec.cost.requests is $$Requests, whatever became of them; one that several sources shared counts for the one with the most tokens in it.$$;
comment on column evervec.cost.texts is $$Rows that got a vector from the provider.$$;
comment on column evervec.cost.cached is $$Rows that got their vector from the cache, for nothing.$$;
comment on column evervec.cost.unchanged is $$Rows whose text was the same: nothing was asked.$$;
comment on column evervec.cost.failed is $$Attempts that failed.$$;
comment on column evervec.cost.tokens is $$Tokens as the provider counted them, used or not; where it does not say a quarter of the bytes; 0 of an offline model.$$;
comment on column evervec.cost.cost is $$Tokens at the price that the model had then, in its currency; NULL: it had none.$$;
