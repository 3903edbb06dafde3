-- index_of: the vector index of a source, or that of its words, if there is one, and whether it can be used; if not yet, how far its build is.
--
-- While another one takes its place it is that one, once it is there.
-- Locks:  none.
-- needs: functions/index/running_build.sql
-- needs: functions/index/vector_indexes.sql
create or replace function evervec.index_of(
    p_source     evervec.source,
    p_column     text default null,
    out index    regclass,
    out valid    boolean,
    out building boolean,
    out progress real
)
language sql stable
set search_path from current
as $$
    select x.index, x.valid, b.pid is not null, b.progress
      from (
        select u.index, u.valid
          from (
            select v.index, v.valid, v.fits from evervec.vector_indexes(p_source) v where coalesce(p_column, p_source.vector_column) = p_source.vector_column
            union all
            select i.indexrelid::regclass, i.indisvalid, true
              from pg_index i
              join pg_class c on c.oid = i.indexrelid
              join pg_am a on a.oid = c.relam
              join pg_attribute t on t.attrelid = i.indrelid and t.attnum = i.indkey[0] and t.attname = p_column
             where i.indrelid = p_source.target and a.amname in ('gin', 'bm25')
          ) u
         order by u.valid and u.fits desc, u.valid
         limit 1
      ) x
      left join lateral (select r.* from evervec.running_build(p_source.target) r where not x.valid) b on true
$$;

comment on function evervec.index_of(evervec.source, text) is
$$Internal. The vector index, or (p_column: document, document_text) that of the words or their texts, on a source's embedding table, whether it is valid, and if not whether it is being built concurrently and how far that is (0 to 0.99, NULL where the caller may not see it); NULLs when there is none.$$;

revoke execute on function evervec.index_of(evervec.source, text) from public;
