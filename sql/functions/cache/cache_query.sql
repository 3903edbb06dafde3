-- cache_query: keeps the vector of the words of a search for the next time; the words themselves are not kept.
--
-- A vector that is there stays until it expires, whatever another caller brings.
-- Locks:  its entry.
-- Raises: VE108 unknown model · VE111 bad kind · VE201 NULL vector or wrong number of dimensions
create or replace function evervec.cache_query(p_model text, p_query text, p_embedding vector, p_kind text default 'query')
returns boolean
language plpgsql security definer
set search_path from current
as $$
declare
    v_model evervec.model := evervec.model_named(p_model);
begin
    perform evervec.check_option('p_kind', p_kind, array['query', 'document']);
    perform evervec.query_limit(p_embedding, v_model.dimensions, 0);
    if p_query is null or current_setting('transaction_read_only')::boolean then
        return false;
    end if;
    insert into evervec.query_cache as c (model_id, query_hash, embedding)
    values (v_model.model_id, evervec.query_hash(v_model, p_query, p_kind), p_embedding)
    on conflict (model_id, query_hash) do update
       set embedding = excluded.embedding, created_at = excluded.created_at
     where c.created_at <= now() - evervec.setting_interval('query_cache_keep', '24 hours');
    return found;
end
$$;

comment on function evervec.cache_query(text, text, vector, text) is
$$Keeps the vector of a query for cached_query; true when it was stored, false when there is one already, p_query is NULL, or the server or the transaction is read-only. p_query: the words alone, without the model's prefix; only a SHA-256 of them is kept. p_embedding: as the model answered for them. p_kind: as cached_query. Raises VE108, VE111, VE201.$$;

revoke execute on function evervec.cache_query(text, text, vector, text) from public;
