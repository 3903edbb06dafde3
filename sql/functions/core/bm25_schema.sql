-- bm25_schema: the schema of pg_textsearch; NULL where that extension is not installed in this database.
--
-- Locks:  none.
create or replace function evervec.bm25_schema()
returns name
language sql stable
set search_path from current
as $$
    select n.nspname
      from pg_extension x
      join pg_namespace n on n.oid = x.extnamespace
     where x.extname = 'pg_textsearch'
$$;

comment on function evervec.bm25_schema() is
$$Internal. The schema of the extension pg_textsearch, whose BM25 ranks texts; NULL without it.$$;

revoke execute on function evervec.bm25_schema() from public;
