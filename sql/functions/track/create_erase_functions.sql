-- create_erase_functions: the trigger functions that remove the vectors of rows that went, at once.
--
-- With the rights of the owner of the source's table, who owns the vectors' table too: a trigger which that owner puts there gains nothing.
-- Through a view, which follows a rename of that table; where somebody dropped it with CASCADE, and our view with it, the writer goes on.
-- A writer under REPEATABLE READ or SERIALIZABLE removes none: that could give it a serialization failure; the worker sweeps.
--
-- Locks:  none that matter.
create or replace function evervec.create_erase_functions(p_source evervec.source)
returns void
language plpgsql
set search_path from current
as $$
declare
    v_view     text := 'vector_' || p_source.name;
    v_owner    regrole := (select c.relowner from pg_class c where c.oid = p_source.relation);
    v_pinned   boolean := exists (select from evervec.primary_key(p_source.relation) k where k.as_text);
    v_function record;
begin
    execute format('create or replace view evervec.%I with (security_invoker) as select * from %s',
                   v_view, evervec.qualified_name(p_source.target));
    execute format('grant select, delete on evervec.%I to %s', v_view, v_owner);
    for v_function in
        select f.prefix, f.gone
          from (values
            ('erase_rows', evervec.vanished_vectors(p_source, 'evervec_old')),
            ('erase_row', evervec.vanished_vectors(p_source, '(select old.*)')),
            ('erase_all', '')
          ) as f (prefix, gone)
    loop
        perform evervec.act_as_owner(p_source, evervec.create_trigger_function(
            format('%s_%s', v_function.prefix, p_source.name),
            format($sql$if current_setting('transaction_isolation') not in ('repeatable read', 'serializable')
                            and to_regclass(%L) is not null then
                            delete from evervec.%I e %s;
                        end if;$sql$, format('evervec.%I', v_view), v_view, v_function.gone),
            v_pinned));
    end loop;
end
$$;

comment on function evervec.create_erase_functions(evervec.source) is
$$Internal. Creates or replaces the trigger functions erase_rows_, erase_row_ and erase_all_<source>, and the view vector_<source>.$$;

revoke execute on function evervec.create_erase_functions(evervec.source) from public;
