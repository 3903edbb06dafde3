-- drop_triggers: removes all triggers of a source, on its table, on partitions, and on the tables that its recipe depends on.
--
-- Locks:  ACCESS EXCLUSIVE on these tables, in short attempts: DROP TRIGGER needs it.
-- Raises: 55P03 a table stays locked
create or replace function evervec.drop_triggers(p_source evervec.source)
returns void
language plpgsql
set search_path from current
as $$
declare
    v_trigger record;
begin
    for v_trigger in
        select t.tgname, t.tgrelid::regclass as relation
          from pg_trigger t
          join pg_proc p on p.oid = t.tgfoid
         where not t.tgisinternal and t.tgparentid = 0
           and p.pronamespace = 'evervec'::regnamespace
           and p.proname = any (evervec.generated_functions(p_source.name))
         order by t.tgrelid, t.tgname
    loop
        perform evervec.lock_relation(v_trigger.relation, 'access exclusive');
        execute format('drop trigger %I on %s', v_trigger.tgname, v_trigger.relation);
    end loop;
end
$$;

comment on function evervec.drop_triggers(evervec.source) is
$$Internal. Drops every trigger that calls a generated function of the source. Raises 55P03.$$;

revoke execute on function evervec.drop_triggers(evervec.source) from public;
