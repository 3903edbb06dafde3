-- target_column_name: the name that a key column has in the embedding table and in search results.
--
-- Its own, unless evervec needs that name for itself: a key column "embedding" becomes "key_embedding".
-- Locks:  none.
create or replace function evervec.target_column_name(p_column text)
returns text
language sql immutable
set search_path from current
as $$
    select case when p_column in ('content_hash', 'model_id', 'embedding', 'created_at', 'updated_at', 'note', 'document', 'document_text',
                                  'metadata', 'distance', 'similarity', 'p_query', 'p_limit')
                then left('key_' || p_column, 63) else p_column end
$$;

comment on function evervec.target_column_name(text) is
$$Internal. Name of a key column in the embedding table: its own, or key_<name> where evervec has a column of that name.$$;

revoke execute on function evervec.target_column_name(text) from public;
