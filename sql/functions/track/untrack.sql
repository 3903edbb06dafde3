-- untrack: takes back all that track made; the vectors stay unless they are to go.
--
-- Locks:  ACCESS EXCLUSIVE on the table, taken in attempts of half a second with pauses between them: DROP TRIGGER needs it.
-- Raises: VE101 unknown source · 55P03 the table stays locked · 2BP01 something else uses a generated function
create or replace function evervec.untrack(p_source text, p_drop_vectors boolean default false)
returns void
language plpgsql
set search_path from current
as $$
declare
    v_source evervec.source := evervec.source_named(p_source);
    v_object record;
begin
    if exists (select from pg_class c where c.oid = v_source.relation) then
        perform evervec.lock_relation(v_source.relation, 'access exclusive');
        for v_object in
            select t.tgname
              from pg_trigger t
             where t.tgrelid = v_source.relation and not t.tgisinternal and t.tgparentid = 0
               and t.tgname = any (array(select format('evervec_%s_%s', v_source.name, e)
                                           from unnest(array['insert', 'update', 'rekey', 'delete', 'truncate']) e))
        loop
            execute format('drop trigger %I on %s', v_object.tgname, v_source.relation);
        end loop;
    end if;

    for v_object in
        select p.oid::regprocedure as function
          from pg_proc p
         where p.pronamespace = 'evervec'::regnamespace
           and p.proname = any (evervec.generated_functions(v_source.name))
    loop
        execute format('drop function %s', v_object.function);
    end loop;

    execute format('drop view if exists evervec.%I', 'vector_' || v_source.name);
    if p_drop_vectors and exists (select from pg_class c where c.oid = v_source.target) then
        execute format('drop table %s', v_source.target);
    end if;

    delete from evervec.processing_queue q where q.source_id = v_source.source_id;
    delete from evervec.source s where s.source_id = v_source.source_id;
end
$$;

comment on function evervec.untrack(text, boolean) is
$$Removes triggers, generated functions and jobs of a source. p_drop_vectors: its embedding table too (default: it stays). Locks the table ACCESS EXCLUSIVE for a moment. Raises VE101, 55P03, 2BP01.$$;

revoke execute on function evervec.untrack(text, boolean) from public;
