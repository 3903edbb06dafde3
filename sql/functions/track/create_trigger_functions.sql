-- create_trigger_functions: what the triggers of a source do: append to the log, and remove vectors of rows that went.
--
-- They must never fail an application's write, so they lean on no name that may change: the key through key_of_change, the
-- embedding table through a view, which follows a rename. A writer under REPEATABLE READ or SERIALIZABLE only logs: removing a
-- vector could give it a serialization failure.
--
-- Locks:  none that matter: replacing a function locks no table.
create or replace function evervec.create_trigger_functions(p_source evervec.source)
returns void
language plpgsql
set search_path from current
as $$
declare
    v_by_row    boolean := p_source.relation_kind = 'p';
    v_pins      text := case when exists (select from evervec.primary_key(p_source.relation) k where k.as_text)
                             then evervec.pinned_settings() else '' end;
    v_new       record;
    v_old       record;
    v_new_rows  text := case when v_by_row then '(select new.*)' else 'evervec_new' end;
    v_old_rows  text := case when v_by_row then '(select old.*)' else 'evervec_old' end;
    v_function  record;
begin
    select * into v_new from evervec.key_of_change(p_source, 'n');
    select * into v_old from evervec.key_of_change(p_source, 'o');
    execute format('create or replace view evervec.%I as select * from %s', 'vector_' || p_source.name,
                   evervec.qualified_name(p_source.target));

    for v_function in
        select f.event, array_to_string(array[
                 case when f.vanished is not null then format(
                   $sql$
                   if current_setting('transaction_isolation') not in ('repeatable read', 'serializable') then
                       delete from evervec.%I e %s;
                   end if;
                   $sql$, 'vector_' || p_source.name, f.vanished) end,
                 format('insert into evervec.change_log (source_id, operation, row_key) %s;', f.changes)
               ], '') as body
          from (values
            ('insert', null,
             format('select %s, ''I'', %s from %s n, %s', p_source.source_id, v_new.key, v_new_rows, v_new.decoy)),
            ('update', null,
             format('select %s, ''U'', %s from (select new.*) n, %s', p_source.source_id, v_new.key, v_new.decoy)),
            ('rekey', evervec.vanished_vectors(p_source, '(select old.*)'),
             format('select %1$s, ''D'', %2$s from (select old.*) o, %3$s union all select %1$s, ''I'', %4$s from (select new.*) n, %3$s',
                    p_source.source_id, v_old.key, v_old.decoy, v_new.key)),
            ('delete', evervec.vanished_vectors(p_source, v_old_rows),
             format('select %s, ''D'', %s from %s o, %s', p_source.source_id, v_old.key, v_old_rows, v_old.decoy)),
            ('truncate', '', format('values (%s, ''T'', null::jsonb)', p_source.source_id))
          ) as f (event, vanished, changes)
    loop
        execute format(
            $sql$
            create or replace function evervec.%1$I() returns trigger
            language plpgsql security definer
            set search_path from current %2$s
            as $body$
            begin
                %3$s
                return null;
            end
            $body$
            $sql$,
            format('log_%s_%s', v_function.event, p_source.name), v_pins, v_function.body);
        execute format('revoke execute on function evervec.%I() from public', format('log_%s_%s', v_function.event, p_source.name));
    end loop;
end
$$;

comment on function evervec.create_trigger_functions(evervec.source) is
$$Internal. Creates or replaces log_insert_, log_update_, log_rekey_, log_delete_ and log_truncate_<source>, and the view vector_<source>.$$;

revoke execute on function evervec.create_trigger_functions(evervec.source) from public;
