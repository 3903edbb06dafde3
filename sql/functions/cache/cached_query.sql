-- cached_query: the vector of the words of a search, where somebody has searched for them before.
--
-- Writes nothing, not even that it was used: it answers on a standby too, and within functions that are STABLE.
-- Locks:  none.
-- Raises: VE108 unknown model · VE111 bad kind
create or replace function evervec.cached_query(p_model text, p_query text, p_kind text default 'query')
returns vector
language plpgsql stable security definer
set search_path from current
as $$
declare
    v_model evervec.model := evervec.model_named(p_model);
begin
    perform evervec.check_option('p_kind', p_kind, array['query', 'document']);
    return (
        select c.embedding
          from evervec.query_cache c
         where c.model_id = v_model.model_id and c.query_hash = evervec.query_hash(v_model, p_query, p_kind)
           and c.created_at > now() - evervec.setting_interval('query_cache_keep', '24 hours'));
end
$$;

comment on function evervec.cached_query(text, text, text) is
$$The vector of a query that cache_query was given for this model in the last 24 hours (setting query_cache_keep), or NULL: embed it, then. p_query: the words alone, without the model's prefix. p_kind: query (default), or document for a text that is no search and no row. Raises VE108, VE111.$$;

revoke execute on function evervec.cached_query(text, text, text) from public;
