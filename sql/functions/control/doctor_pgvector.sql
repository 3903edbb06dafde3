-- doctor_pgvector: findings about pgvector: an old version, and a schema where everybody may put objects that would be taken for its own.
--
-- Locks:  none.
create or replace function evervec.doctor_pgvector()
returns table (finding text, severity text, problem text, remedy text)
language sql stable
set search_path from current
as $$
    select 'old pgvector', 'advice',
           format('pgvector is %s. Mended since: %s. Upgrade its package first.', x.extversion, string_agg(f.fault, '; ' order by f.mended)),
           'alter extension vector update;'
      from pg_extension x
      join (values (array[0, 8, 2], 'a buffer overflow in parallel builds of hnsw, which crashes the server or tells what is in other tables (CVE-2026-3172)'),
                   (array[0, 8, 3], 'VACUUM can damage an hnsw index'),
                   (array[0, 8, 4], 'VACUUM of an hnsw index can fail with "hnsw graph not repaired"')) as f (mended, fault)
        on string_to_array(substring(x.extversion, '^\d+(?:\.\d+)*'), '.')::integer[] < f.mended
     where x.extname = 'vector'
     group by x.extversion
    union all
    select 'open schema', 'advice',
           format('Everybody may create objects in schema %I, where pgvector lives and every function of evervec looks names up.', n.nspname),
           format('revoke create on schema %I from public;', n.nspname)
      from pg_extension x
      join pg_namespace n on n.oid = x.extnamespace
     where x.extname = 'vector' and has_schema_privilege('public', n.oid, 'create')
$$;

comment on function evervec.doctor_pgvector() is
$$Internal. Findings of doctor about pgvector.$$;

revoke execute on function evervec.doctor_pgvector() from public;
