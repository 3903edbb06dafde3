-- drop_functions: removes all generated functions of a source, and its view.
--
-- Locks:  none that matter.
-- Raises: 2BP01 something else, such as a view of a user's, uses one of them
create or replace function evervec.drop_functions(p_source evervec.source)
returns void
language plpgsql
set search_path from current
as $$
declare
    v_function regprocedure;
begin
    for v_function in
        select p.oid
          from pg_proc p
         where p.pronamespace = 'evervec'::regnamespace
           and p.proname = any (evervec.generated_functions(p_source.name))
         order by p.proname = 'key_' || p_source.name
    loop
        execute format('drop function %s', v_function);
    end loop;
    execute format('drop view if exists evervec.%I', 'vector_' || p_source.name);
end
$$;

comment on function evervec.drop_functions(evervec.source) is
$$Internal. Drops the generated functions and the view of a source. Raises 2BP01.$$;

revoke execute on function evervec.drop_functions(evervec.source) from public;
