-- create_dependency_triggers: triggers on the other tables that a recipe reads: they log a few columns of what changed.
--
-- What follows from it, the keys of our rows, is found out by the fold, never in the writer's transaction. A renamed column makes
-- the log say {"renamed": …} in its place, and the fold compares the whole source.
--
-- Locks:  SHARE ROW EXCLUSIVE on these tables.
create or replace function evervec.create_dependency_triggers(p_source evervec.source)
returns void
language plpgsql
set search_path from current
as $$
declare
    v_dependency evervec.dependency;
    v_by_row     boolean;
    v_changed    text;
    v_decoy      text;
    v_function   text;
    v_trigger    record;
begin
    for v_dependency in select * from evervec.dependency d where d.source_id = p_source.source_id order by d.ordinal loop
        v_by_row := (select c.relkind = 'p' from pg_class c where c.oid = v_dependency.relation);
        v_changed := format(
            '(select jsonb_build_object(%s) from (select r.*) as changed)',
            (select string_agg(format('%L, %I', c.name, c.name), ', ' order by c.ordinality)
               from unnest(v_dependency.columns) with ordinality as c (name, ordinality)));
        v_decoy := format('(select %s) as decoy', (
            select string_agg(format('''{"renamed": true}''::jsonb as %I', c.name), ', ' order by c.ordinality)
              from unnest(v_dependency.columns) with ordinality as c (name, ordinality)));

        perform evervec.lock_relation(v_dependency.relation, 'share row exclusive');
        for v_trigger in
            select t.event, t.operation, t.condition, t.rows
              from (values
                ('insert', 'insert', case when v_by_row then 'for each row' else 'referencing new table as evervec_new for each statement' end,
                 case when v_by_row then '(select new.*) r' else 'evervec_new r' end),
                ('delete', 'delete', case when v_by_row then 'for each row' else 'referencing old table as evervec_old for each statement' end,
                 case when v_by_row then '(select old.*) r' else 'evervec_old r' end),
                ('update', 'update', 'for each row', '(select old.* union all select new.*) r'),
                ('truncate', 'truncate', 'for each statement', null)
              ) as t (event, operation, condition, rows)
        loop
            v_function := format('log_dep%s_%s_%s', v_dependency.ordinal, v_trigger.event, p_source.name);
            perform evervec.create_log_function(
                v_function,
                case when v_trigger.rows is null then format('values (%s, ''T'', null::jsonb)', p_source.source_id)
                     when v_trigger.event = 'update' then format(
                        'select %1$s, ''R'', jsonb_build_object(''dependency'', %2$s, ''changed'', %3$s) from (select old.*) r, %4$s union '
                        'select %1$s, ''R'', jsonb_build_object(''dependency'', %2$s, ''changed'', %3$s) from (select new.*) r, %4$s',
                        p_source.source_id, v_dependency.ordinal, v_changed, v_decoy)
                     else format('select distinct %s, ''R'', jsonb_build_object(''dependency'', %s, ''changed'', %s) from %s, %s',
                                 p_source.source_id, v_dependency.ordinal, v_changed, v_trigger.rows, v_decoy) end,
                p_pinned => true);
            execute format('create trigger %I after %s on %s %s %s execute function evervec.%I()',
                           format('evervec_%s_dep%s_%s', p_source.name, v_dependency.ordinal, v_trigger.event),
                           v_trigger.operation, v_dependency.relation, v_trigger.condition,
                           case when v_trigger.event = 'update'
                                then format('when (%s)', evervec.row_differs(v_dependency.relation, v_dependency.watched)) end,
                           v_function);
        end loop;
    end loop;
end
$$;

comment on function evervec.create_dependency_triggers(evervec.source) is
$$Internal. Creates the triggers evervec_<source>_dep<n>_insert, _delete, _update and _truncate on the tables that a recipe reads.$$;

revoke execute on function evervec.create_dependency_triggers(evervec.source) from public;
