-- create_trigger_functions: what the triggers of a source do: append to the log, and remove vectors of rows that went.
--
-- They must never fail an application's write, so they lean on no name that may change: the key through key_of_change, the
-- embedding table through a view, which follows a rename. Column storage and foreign keys take vectors away by themselves.
--
-- Locks:  none that matter.
create or replace function evervec.create_trigger_functions(p_source evervec.source)
returns void
language plpgsql
set search_path from current
as $$
declare
    v_by_row   boolean := p_source.relation_kind = 'p';
    v_pinned   boolean := exists (select from evervec.primary_key(p_source.relation) k where k.as_text);
    v_id       integer := p_source.source_id;
    v_new      record;
    v_old      record;
    v_function record;
begin
    select * into v_new from evervec.key_of_change(p_source, 'n');
    select * into v_old from evervec.key_of_change(p_source, 'o');
    for v_function in
        select f.event, f.changes
          from (values
            ('insert', format('select %s, ''I'', %s from %s n, %s', v_id, v_new.key,
                              case when v_by_row then '(select new.*)' else 'evervec_new' end, v_new.decoy)),
            ('update', format('select %s, ''U'', %s from (select new.*) n, %s', v_id, v_new.key, v_new.decoy)),
            ('rekey', format('select %1$s, ''D'', %2$s from (select old.*) o, %4$s union all select %1$s, ''I'', %3$s from (select new.*) n, %4$s',
                             v_id, v_old.key, v_new.key, v_new.decoy)),
            ('delete', format('select %s, ''D'', %s from %s o, %s', v_id, v_old.key,
                              case when v_by_row then '(select old.*)' else 'evervec_old' end, v_old.decoy)),
            ('truncate', format('values (%s, ''T'', null::jsonb)', v_id))
          ) as f (event, changes)
    loop
        perform evervec.create_log_function(format('log_%s_%s', v_function.event, p_source.name), v_function.changes, v_pinned);
    end loop;
    if p_source.storage <> 'column' and not p_source.foreign_key then
        perform evervec.create_erase_functions(p_source);
    end if;
end
$$;

comment on function evervec.create_trigger_functions(evervec.source) is
$$Internal. Creates or replaces log_insert_, log_update_, log_rekey_, log_delete_, log_truncate_<source>, and the functions of create_erase_functions.$$;

revoke execute on function evervec.create_trigger_functions(evervec.source) from public;
