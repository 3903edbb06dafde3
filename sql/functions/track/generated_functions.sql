-- generated_functions: the names of all functions that a source has of its own.
--
-- Locks:  none.
create or replace function evervec.generated_functions(p_source text)
returns text[]
language sql immutable
set search_path from current
as $$
    select array_agg(prefix || '_' || p_source)
      from unnest(array['nearest', 'key', 'render', 'write', 'erase', 'slice', 'orphans',
                        'log_insert', 'log_update', 'log_rekey', 'log_delete', 'log_truncate']) as prefix
$$;

comment on function evervec.generated_functions(text) is
$$Internal. Names of the functions in schema evervec that were generated for a source.$$;

revoke execute on function evervec.generated_functions(text) from public;
