-- index_of: the vector index of a source, if there is one, and whether it can be used.
--
-- Locks:  none.
create or replace function evervec.index_of(p_source evervec.source, out index regclass, out valid boolean)
language sql stable
set search_path from current
as $$
    select i.indexrelid::regclass, i.indisvalid
      from pg_index i
      join pg_class c on c.oid = i.indexrelid
      join pg_am a on a.oid = c.relam
      join pg_attribute t on t.attrelid = i.indrelid and t.attnum = i.indkey[0] and t.attname = p_source.vector_column
     where i.indrelid = p_source.target and a.amname in ('hnsw', 'ivfflat')
     order by i.indisvalid desc
     limit 1
$$;

comment on function evervec.index_of(evervec.source) is
$$Internal. The vector index on a source's embedding table and whether it is valid; NULLs when there is none.$$;

revoke execute on function evervec.index_of(evervec.source) from public;
