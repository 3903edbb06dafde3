-- create_triggers: the triggers that notice every change of a source.
--
-- INSERT and DELETE: one statement, one INSERT … SELECT, from the transition table. On a partitioned table: row triggers, because
-- statement triggers miss what is written to a partition directly. UPDATE: row triggers that fire only when a watched column
-- (or the key) really changed. Manual storage has no text: only the end of a row matters. Column storage: a vector set to NULL asks for a new one.
-- The vectors of rows that went are removed by triggers of their own, which have other rights (see create_erase_functions).
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
    v_gone    boolean := p_source.storage <> 'column';
    v_erases  boolean := p_source.storage <> 'column' and not p_source.foreign_key;
    v_old     text := case when v_by_row then 'for each row' else 'referencing old table as evervec_old for each statement' end;
    v_rekeyed text := evervec.row_differs(p_source.relation, p_source.key_columns);
    v_trigger record;
begin
    perform evervec.create_trigger_functions(p_source);
    for v_trigger in
        select t.*
          from (values
            ('insert', 'insert', case when v_by_row then 'for each row' else 'referencing new table as evervec_new for each statement' end,
             null, 'log_insert', v_texts),
            ('update', 'update', 'for each row', evervec.row_differs(p_source.relation, p_source.watched_columns), 'log_update',
             v_texts and cardinality(p_source.watched_columns) > 0),
            ('emptied', 'update', 'for each row', format('old.%1$I is not null and new.%1$I is null', p_source.vector_column),
             'log_update', p_source.storage = 'column'),
            ('rekey', 'update', 'for each row', v_rekeyed, 'log_rekey', true),
            ('rekey_erase', 'update', 'for each row', v_rekeyed, 'erase_row', v_erases),
            ('delete', 'delete', v_old, null, 'log_delete', v_gone),
            ('delete_erase', 'delete', v_old, null, case when v_by_row then 'erase_row' else 'erase_rows' end, v_erases),
            ('truncate', 'truncate', 'for each statement', null, 'log_truncate', v_gone),
            -- A partition cannot tell which vectors were its own: only the whole table's TRUNCATE removes any.
            ('clear', 'truncate', 'for each statement', null, 'erase_all', v_erases)
          ) as t (event, operation, level, condition, function, wanted)
         where t.wanted
    loop
        execute format('create trigger %I after %s on %s %s %s execute function evervec.%I()',
                       format('evervec_%s_%s', p_source.name, v_trigger.event), v_trigger.operation, p_source.relation,
                       v_trigger.level, 'when (' || v_trigger.condition || ')', format('%s_%s', v_trigger.function, p_source.name));
    end loop;
    perform evervec.create_partition_triggers(p_source);
    perform evervec.create_dependency_triggers(p_source);
end
$$;

comment on function evervec.create_triggers(evervec.source) is
$$Internal. Creates the triggers evervec_<source>_insert, _update, _emptied, _rekey, _delete, _truncate and those that erase vectors, and those on tables that the recipe depends on.$$;

revoke execute on function evervec.create_triggers(evervec.source) from public;
