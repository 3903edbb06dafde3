-- expected_triggers: the triggers that a source must have, wherever they stand: on its table, on partitions, on tables of its recipe.
--
-- What create_triggers, create_partition_triggers and create_dependency_triggers make; a test compares.
-- Locks:  none.
-- needs: functions/track/partitions_of.sql
create or replace function evervec.expected_triggers(p_source evervec.source)
returns table (relation regclass, name name)
language sql stable
set search_path from current
as $$
    with event as (
        select e.event, e.by_row
          from (values
            ('insert', true, p_source.storage <> 'manual'),
            ('update', true, p_source.storage <> 'manual' and cardinality(p_source.watched_columns) > 0),
            ('emptied', true, p_source.storage = 'column'),
            ('rekey', true, true),
            ('delete', true, p_source.storage <> 'column'),
            ('truncate', false, p_source.storage <> 'column'),
            ('rekey_erase', true, p_source.storage <> 'column' and not p_source.foreign_key),
            ('delete_erase', true, p_source.storage <> 'column' and not p_source.foreign_key),
            ('clear', false, p_source.storage <> 'column' and not p_source.foreign_key)
          ) as e (event, by_row, wanted)
         where e.wanted
    )
    select c.oid::regclass, format('evervec_%s_%s', p_source.name, e.event)::name
      from event e
      cross join unnest(array[p_source.relation::oid] || evervec.partitions_of(p_source.relation)) as r (relation)
      join pg_class c on c.oid = r.relation and c.relkind in ('r', 'p')
     -- PostgreSQL clones row triggers; the one on TRUNCATE is made when the partition has been noticed.
     where e.by_row or r.relation = p_source.relation or r.relation = any (p_source.partitions) and e.event = 'truncate'
    union all
    select r.relation, format('evervec_%s_dep%s_%s', p_source.name, d.ordinal, e.event)::name
      from evervec.dependency d
      cross join (values ('insert', true), ('update', true), ('delete', true), ('truncate', false)) as e (event, by_row)
      cross join lateral (
        select d.relation
        union all
        select p.relation::regclass from unnest(evervec.partitions_of(d.relation)) as p (relation) where e.by_row
      ) as r (relation)
      join pg_class c on c.oid = r.relation and c.relkind in ('r', 'p')
     where d.source_id = p_source.source_id
$$;

comment on function evervec.expected_triggers(evervec.source) is
$$Internal. Tables and names of all triggers that a source must have.$$;

revoke execute on function evervec.expected_triggers(evervec.source) from public;
