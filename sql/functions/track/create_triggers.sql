-- create_triggers: the triggers that notice every change of a source.
--
-- INSERT and DELETE: one statement, one INSERT … SELECT, from the transition table. On a partitioned table: row triggers, because
-- statement triggers miss what is written to a partition directly. UPDATE: row triggers that fire only when a watched column
-- (or the key) really changed.
--
-- Locks:  SHARE ROW EXCLUSIVE on the source's table, which the caller has taken.
create or replace function evervec.create_triggers(p_source evervec.source)
returns void
language plpgsql
set search_path from current
as $$
declare
    v_by_row  boolean := p_source.relation_kind = 'p';
    v_trigger record;
begin
    perform evervec.create_trigger_functions(p_source);
    for v_trigger in
        select t.event, t.operation, t.condition
          from (values
            ('insert', 'insert', case when v_by_row then 'for each row'
                                      else 'referencing new table as evervec_new for each statement' end),
            ('update', 'update', format('for each row when (%s)', evervec.row_differs(p_source.watched_columns))),
            ('rekey', 'update', format('for each row when (%s)', evervec.row_differs(p_source.key_columns))),
            ('delete', 'delete', case when v_by_row then 'for each row'
                                      else 'referencing old table as evervec_old for each statement' end),
            ('truncate', 'truncate', 'for each statement')
          ) as t (event, operation, condition)
    loop
        execute format('create trigger %I after %s on %s %s execute function evervec.%I()',
                       format('evervec_%s_%s', p_source.name, v_trigger.event), v_trigger.operation, p_source.relation,
                       v_trigger.condition, format('log_%s_%s', v_trigger.event, p_source.name));
    end loop;
end
$$;

comment on function evervec.create_triggers(evervec.source) is
$$Internal. Creates the triggers evervec_<source>_insert, _update, _rekey, _delete and _truncate.$$;

revoke execute on function evervec.create_triggers(evervec.source) from public;
