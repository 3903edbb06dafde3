-- add_model: makes an embedding model known. Adding the same model again changes nothing.
--
-- Locks:  ROW EXCLUSIVE on evervec.model.
-- Raises: VE109 the name is taken by a different definition, or a value is out of its range
create or replace function evervec.add_model(
    p_name                     text,
    p_provider                 text,
    p_dimensions               integer,
    p_provider_model           text default null,
    p_input_limit              integer default 8191,
    p_price_per_million_tokens numeric default null,
    p_document_prefix          text default '',
    p_query_prefix             text default '',
    p_request                  jsonb default '{}',
    p_requests_per_minute      integer default null,
    p_tokens_per_minute        integer default null,
    p_batch_texts              integer default 100,
    p_batch_tokens             integer default 100000,
    p_concurrent_requests      integer default null
)
returns text
language plpgsql security definer
set search_path from current
as $$
declare
    v_message text;
begin
    insert into evervec.model
        (name, provider, provider_model, dimensions, input_limit, price_per_million_tokens, document_prefix,
         query_prefix, request, requests_per_minute, tokens_per_minute, batch_texts, batch_tokens, concurrent_requests)
    values
        (p_name, p_provider, coalesce(p_provider_model, p_name), p_dimensions, p_input_limit,
         p_price_per_million_tokens, p_document_prefix, p_query_prefix, p_request, p_requests_per_minute,
         p_tokens_per_minute, p_batch_texts, p_batch_tokens, p_concurrent_requests)
    on conflict (name) do nothing;

    if not exists (
        select
          from evervec.model m
         where m.name = p_name
           and (m.provider, m.provider_model, m.dimensions, m.document_prefix, m.query_prefix, m.request)
               is not distinct from
               (p_provider, coalesce(p_provider_model, p_name), p_dimensions, p_document_prefix, p_query_prefix, p_request)
    ) then
        raise exception using
            errcode = 'VE109',
            message = format('model "%s" exists with a different definition', p_name),
            detail  = 'Provider, provider model, dimensions, prefixes and request decide what a vector means; they never change under a name.',
            hint    = 'Add the new definition under another name.';
    end if;
    return p_name;
exception
    when check_violation or not_null_violation then
        get stacked diagnostics v_message = message_text;
        raise exception using
            errcode = 'VE109',
            message = format('model "%s" cannot be added: a value is out of its range', p_name),
            detail  = v_message,
            hint    = 'dimensions: 1 to 16000; limits: positive or NULL; provider: lower-case letters, digits, - and _; request: a JSON object, and so are its members document and query.';
end
$$;

comment on function evervec.add_model(text, text, integer, text, integer, numeric, text, text, jsonb, integer, integer, integer, integer, integer) is
$$Makes an embedding model known and returns its name. p_provider: openai, local, minilm, a profile of the service's environment, or a provider of your own. p_dimensions: length of a vector, 1 to 16000. p_provider_model: the provider's name for it (default: p_name). p_input_limit: tokens a text. p_price_per_million_tokens: in any one currency. p_document_prefix, p_query_prefix: put before texts and queries. p_request: extra members of the request body; those of its members document and query go into requests for texts of that kind only. p_requests_per_minute, p_tokens_per_minute: NULL is unlimited. p_concurrent_requests: in flight at once; these three hold for all workers together (see begin_call). p_batch_texts, p_batch_tokens: most texts and tokens a request. Raises VE109.$$;

revoke execute on function evervec.add_model(text, text, integer, text, integer, numeric, text, text, jsonb, integer, integer, integer, integer, integer) from public;
