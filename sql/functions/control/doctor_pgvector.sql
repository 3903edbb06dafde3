-- doctor_pgvector: findings about pgvector: a version with faults that its users are exposed to, and a schema where everybody may put objects that would be taken for its own.
--
-- Locks:  none.
create or replace function evervec.doctor_pgvector()
returns table (finding text, severity text, problem text, remedy text)
language sql stable
set search_path from current
as $$
    select 'old pgvector', 'advice',
           format('pgvector is %s. Mended since: %s. Upgrade its package first.', x.extversion, string_agg(f.fault, '; ' order by f.mended, f.fault)),
           'alter extension vector update;'
      from pg_extension x
      cross join lateral (select exists (select from evervec.source s where s.index_method = 'ivfflat')) as l (used)
      cross join lateral (values (array[0, 8, 2], true, 'a buffer overflow in parallel builds of hnsw, which crashes the server or tells what is in other tables (CVE-2026-3172)'),
                   (array[0, 8, 3], true, 'VACUUM can damage an hnsw index, which stays so until it is rebuilt'),
                   (array[0, 8, 3], current_setting('server_version_num')::integer >= 180000
                                    and exists (select from evervec.source s where s.index_precision = 'bit'), 'indexes of signs are slow on PostgreSQL 18'),
                   (array[0, 8, 4], true, 'VACUUM of an hnsw index can fail with "hnsw graph not repaired"'),
                   (array[0, 8, 4], l.used, 'a build of ivfflat takes more than maintenance_work_mem'),
                   (array[0, 8, 5], l.used and x.extversion = '0.8.4', 'a build of ivfflat over few rows wants memory for many'),
                   (array[0, 8, 6], l.used, 'near_duplicates over an ivfflat index takes ever more memory')) as f (mended, concerns, fault)
     where f.concerns and string_to_array(substring(x.extversion, '^\d+(?:\.\d+)*'), '.')::integer[] < f.mended and x.extname = 'vector'
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
