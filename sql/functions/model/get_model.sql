-- get_model: what a caller needs to know to embed with a model.
--
-- Locks:  none.
-- Raises: VE108 unknown model
-- needs: functions/model/model_named.sql
create or replace function evervec.get_model(p_name text)
returns table (
    name                text,
    provider            text,
    provider_model      text,
    dimensions          integer,
    input_limit         integer,
    document_prefix     text,
    query_prefix        text,
    request             jsonb,
    batch_texts         integer,
    batch_tokens        integer,
    paused_until        timestamptz,
    concurrent_requests integer,
    limited             boolean
)
language sql stable security definer
set search_path from current
as $$
    select m.name, m.provider, m.provider_model, m.dimensions, m.input_limit, m.document_prefix, m.query_prefix,
           m.request, m.batch_texts, m.batch_tokens, m.paused_until, m.concurrent_requests,
           num_nonnulls(m.requests_per_minute, m.tokens_per_minute, m.concurrent_requests) > 0
      from evervec.model_named(p_name) m
$$;

comment on function evervec.get_model(text) is
$$One model by its name: provider, the provider's name for it, dimensions, limits, prefixes, extra request body. limited: each request needs begin_call. Raises VE108.$$;

revoke execute on function evervec.get_model(text) from public;
