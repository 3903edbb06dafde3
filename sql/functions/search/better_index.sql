-- better_index: what to do about an index that misses too much, whatever its searches do: the next better way to build it.
--
-- Locks:  none.
-- Raises: VE101 unknown source
create or replace function evervec.better_index(p_source text)
returns text
language sql stable security definer
set search_path from current
as $$
    select case
        when s.search_precision = 'bit' and coalesce((s.index_options ->> 'rerank')::integer, 20) < 1000
        then format('Rank more of what the index finds: SELECT evervec.retrack(%L, p_index_options => %L); or take p_precision => ''half''.', s.name,
                    s.index_options || jsonb_build_object('rerank', least(4 * coalesce((s.index_options ->> 'rerank')::integer, 20), 1000)))
        when s.search_method = 'hnsw'
        then format('Build a better graph: SELECT evervec.retrack(%L, p_index_options => %L); then build it, and tune again.', s.name,
                    s.index_options || jsonb_build_object('m', o.m, 'ef_construction', greatest(4 * o.m, least(2 * o.ef, 1000))))
        else 'Ask for less recall, or take p_index => ''hnsw''.' end
      from evervec.source_named(p_source) s
      cross join lateral (
        select least(2 * coalesce((s.index_options ->> 'm')::integer, 16), 100) as m, coalesce((s.index_options ->> 'ef_construction')::integer, 64) as ef) o
$$;

comment on function evervec.better_index(text) is
$$Internal. A HINT: how to build the index of a source so that it misses less. Raises VE101.$$;

revoke execute on function evervec.better_index(text) from public;
