-- create_partition_triggers: a TRUNCATE trigger on every partition that has none yet; PostgreSQL clones row triggers only.
--
-- Locks:  SHARE ROW EXCLUSIVE on the partitions concerned.
create or replace function evervec.create_partition_triggers(p_source evervec.source)
returns void
language plpgsql
set search_path from current
as $$
declare
    v_trigger   text := format('evervec_%s_truncate', p_source.name);
    v_partition regclass;
begin
    if p_source.storage = 'column' or p_source.relation_kind <> 'p' then
        return;
    end if;
    for v_partition in
        select p.relid
          from pg_partition_tree(p_source.relation) p
          join pg_class c on c.oid = p.relid and c.relkind in ('r', 'p')
         where p.relid <> p_source.relation
           and not exists (select from pg_trigger t where t.tgrelid = p.relid and t.tgname = v_trigger)
    loop
        execute format('create trigger %I after truncate on %s for each statement execute function evervec.%I()',
                       v_trigger, v_partition, 'log_truncate_' || p_source.name);
    end loop;
end
$$;

comment on function evervec.create_partition_triggers(evervec.source) is
$$Internal. Creates the trigger evervec_<source>_truncate on partitions that lack it.$$;

revoke execute on function evervec.create_partition_triggers(evervec.source) from public;
