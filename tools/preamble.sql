-- `set search_path from current` in the texts below takes what this sets for the transaction. The schema
-- of pgvector is looked up, because managed services put extensions into one of their own.
do $$
declare
    v_schema name;
begin
    select n.nspname
      into v_schema
      from pg_catalog.pg_extension e
      join pg_catalog.pg_namespace n on n.oid = e.extnamespace
     where e.extname = 'vector';
    if not found then
        raise exception using
            errcode = 'VE001',
            message = pg_catalog.format('pgvector is not installed in database "%s"', pg_catalog.current_database()),
            detail  = 'evervec stores its vectors in the types of pgvector 0.8 or newer.',
            hint    = 'Run CREATE EXTENSION vector; in this database as its owner or a superuser, then migrate again.';
    end if;
    perform pg_catalog.set_config('search_path', pg_catalog.format('pg_catalog, %I, pg_temp', v_schema), true);
    perform pg_catalog.set_config('check_function_bodies', 'on', true);
end
$$;
