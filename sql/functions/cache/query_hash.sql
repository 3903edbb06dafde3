-- query_hash: what a query is known by: the SHA-256 of all that decides its vector, the words as they are sent among it.
--
-- Many models place the same words elsewhere as a document than as a query.
--
-- A model never changes under its name but by hand; then its former queries are not found any more.
-- Locks:  none.
create or replace function evervec.query_hash(p_model evervec.model, p_query text, p_kind text default 'query')
returns bytea
language sql stable
set search_path from current
as $$
    select sha256(convert_to(
        jsonb_build_array(p_model.provider, p_model.provider_model, p_model.request, p_kind,
                          case p_kind when 'query' then p_model.query_prefix else p_model.document_prefix end || p_query)::text, 'UTF8'))
     where p_query is not null
$$;

comment on function evervec.query_hash(evervec.model, text, text) is
$$Internal. SHA-256 of a query (or document) with its prefix, and of what is sent with it; NULL for a NULL query.$$;

revoke execute on function evervec.query_hash(evervec.model, text, text) from public;
