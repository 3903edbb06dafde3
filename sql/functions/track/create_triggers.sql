-- create_triggers: the triggers that notice every change of a source.
--
-- INSERT and DELETE: one statement, one INSERT … SELECT, from the transition table. On a partitioned table: row triggers, because
-- statement triggers miss what is written to a partition directly. UPDATE: row triggers that fire only when a watched column
-- (or the key) really changed. Manual storage has no text: only the end of a row matters. Column storage: a vector set to NULL asks for a new one.
--
-- Locks:  SHARE ROW EXCLUSIVE on the source's table, which the caller has taken.
create or replace function evervec.create_triggers(p_source evervec.source)
returns void
language plpgsql
set search_path from current
as $$
declare
    v_by_row  boolean := p_source.relation_kind = 'p';
    v_texts   boolean := p_source.storage <> 'manual';
    v_trigger record;
begin
    perform evervec.create_trigger_functions(p_source);
    for v_trigger in
        select t.event, t.operation, t.level, t.condition, coalesce(t.function, t.event) as function
          from (values
            ('insert', 'insert', case when v_by_row then 'for each row' else 'referencing new table as evervec_new for each statement' end,
             evervec.trigger_condition(), null, v_texts),
            ('update', 'update', 'for each row', evervec.trigger_condition(p_source.watched_columns), null,
             v_texts and cardinality(p_source.watched_columns) > 0),
            ('emptied', 'update', 'for each row',
             format('old.%1$I is not null and new.%1$I is null and %2$s', p_source.vector_column, evervec.trigger_condition()),
             'update', p_source.storage = 'column'),
            ('rekey', 'update', 'for each row', evervec.trigger_condition(p_source.key_columns), null, true),
            ('delete', 'delete', case when v_by_row then 'for each row' else 'referencing old table as evervec_old for each statement' end,
             evervec.trigger_condition(), null, p_source.storage <> 'column'),
            ('truncate', 'truncate', 'for each statement', evervec.trigger_condition(), null, p_source.storage <> 'column')
          ) as t (event, operation, level, condition, function, wanted)
         where t.wanted
    loop
        execute format('create trigger %I after %s on %s %s when (%s) execute function evervec.%I()',
                       format('evervec_%s_%s', p_source.name, v_trigger.event), v_trigger.operation, p_source.relation,
                       v_trigger.level, v_trigger.condition, format('log_%s_%s', v_trigger.function, p_source.name));
    end loop;
    perform evervec.create_partition_triggers(p_source);
    perform evervec.create_dependency_triggers(p_source);
end
$$;

comment on function evervec.create_triggers(evervec.source) is
$$Internal. Creates the triggers evervec_<source>_insert, _update, _emptied, _rekey, _delete and _truncate, and those on tables that the recipe depends on.$$;

revoke execute on function evervec.create_triggers(evervec.source) from public;
