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
    v_erases   boolean := p_source.storage <> 'column' and not p_source.foreign_key;
    v_id       integer := p_source.source_id;
    v_old_rows text := case when v_by_row then '(select old.*)' else 'evervec_old' end;
    v_new      record;
    v_old      record;
    v_function record;
begin
    select * into v_new from evervec.key_of_change(p_source, 'n');
    select * into v_old from evervec.key_of_change(p_source, 'o');
    if v_erases then
        execute format('create or replace view evervec.%I as select * from %s', 'vector_' || p_source.name,
                       evervec.qualified_name(p_source.target));
    end if;

    for v_function in
        select f.event, f.changes, f.vanished
          from (values
            ('insert', format('select %s, ''I'', %s from %s n, %s', v_id, v_new.key,
                              case when v_by_row then '(select new.*)' else 'evervec_new' end, v_new.decoy), null),
            ('update', format('select %s, ''U'', %s from (select new.*) n, %s', v_id, v_new.key, v_new.decoy), null),
            ('rekey', format('select %1$s, ''D'', %2$s from (select old.*) o, %4$s union all select %1$s, ''I'', %3$s from (select new.*) n, %4$s',
                             v_id, v_old.key, v_new.key, v_new.decoy),
             evervec.vanished_vectors(p_source, '(select old.*)')),
            ('delete', format('select %s, ''D'', %s from %s o, %s', v_id, v_old.key, v_old_rows, v_old.decoy),
             evervec.vanished_vectors(p_source, v_old_rows)),
            ('truncate', format('values (%s, ''T'', null::jsonb)', v_id), ''),
            -- A partition cannot tell which vectors were its own: the fold compares.
            ('truncate_part', format('values (%s, ''T'', null::jsonb)', v_id), null)
          ) as f (event, changes, vanished)
         where f.event <> 'truncate_part' or v_by_row
    loop
        perform evervec.create_log_function(p_source, format('log_%s_%s', v_function.event, p_source.name), v_function.changes,
                                            case when v_erases then v_function.vanished end, v_pinned);
    end loop;
end
$$;

comment on function evervec.create_trigger_functions(evervec.source) is
$$Internal. Creates or replaces log_insert_, log_update_, log_rekey_, log_delete_ and log_truncate_<source>, and the view vector_<source>.$$;

revoke execute on function evervec.create_trigger_functions(evervec.source) from public;
