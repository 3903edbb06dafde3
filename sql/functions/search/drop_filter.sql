-- drop_filter: takes back what add_filter made.
--
-- Locks:  none that matter.
-- Raises: VE101 unknown source · VE208 unknown filter · 2BP01 something else uses one of its functions
create or replace function evervec.drop_filter(p_source text, p_name text)
returns void
language plpgsql
set search_path from current
as $$
declare
    v_source   evervec.source := evervec.source_named(p_source);
    v_function regprocedure;
begin
    delete from evervec.filter f where f.filter_id = (evervec.filter_named(v_source, p_name)).filter_id;
    for v_function in
        select p.oid from pg_proc p
         where p.pronamespace = 'evervec'::regnamespace and p.proname = any (evervec.filter_functions(p_source, p_name))
    loop
        execute format('drop function %s', v_function);
    end loop;
end
$$;

comment on function evervec.drop_filter(text, text) is
$$Removes a filter of a source, and its functions. Raises VE101, VE208, 2BP01.$$;

revoke execute on function evervec.drop_filter(text, text) from public;
