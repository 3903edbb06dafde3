-- create_trigger_functions: what the triggers of a source do: append to the log, and remove vectors of rows that went.
--
-- They must never fail an application's write, so they lean on no name that may change: the key through changed_keys, the
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
    v_new      text := case when v_by_row then '(select new.*)' else 'evervec_new' end;
    v_old      text := case when v_by_row then '(select old.*)' else 'evervec_old' end;
    v_function record;
begin
    for v_function in
        select f.event, f.changes
          from (values
            ('insert', evervec.changed_keys(p_source, 'I', v_new)),
            ('update', evervec.changed_keys(p_source, 'U', '(select new.*)')),
            ('rekey', concat(evervec.changed_keys(p_source, 'D', '(select old.*)'), ' union all ',
                             evervec.changed_keys(p_source, 'I', '(select new.*)'))),
            ('delete', evervec.changed_keys(p_source, 'D', v_old)),
            ('truncate', format('values (%s, ''T'', null::jsonb)', p_source.source_id))
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
