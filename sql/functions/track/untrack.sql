-- untrack: takes back all that track made, and the views of add_views; the vectors stay unless they are to go.
--
-- Locks:  ACCESS EXCLUSIVE on the table, taken in attempts of half a second with pauses between them: DROP TRIGGER needs it.
-- Raises: VE101 unknown source · 55P03 the table stays locked · 2BP01 something else uses a generated function
create or replace function evervec.untrack(p_source text, p_drop_vectors boolean default false)
returns void
language plpgsql
set search_path from current
as $$
declare
    v_source evervec.source := evervec.source_named(p_source);
begin
    perform evervec.drop_triggers(v_source);
    perform evervec.discard_views(v_source);
    perform evervec.drop_functions(v_source);
    if p_drop_vectors and exists (select from pg_class c where c.oid = v_source.target) then
        if v_source.storage = 'column' then
            perform evervec.lock_relation(v_source.target, 'access exclusive');
            execute (
                select format('alter table %s %s', v_source.target, string_agg(format('drop column if exists %I', c.name), ', '))
                  from unnest(array[v_source.vector_column, v_source.hash_column, v_source.model_column, v_source.time_column,
                                    v_source.version_column]) as c (name)
                 where c.name is not null);
        else
            execute format('drop table %s', v_source.target);
        end if;
    end if;
    perform evervec.drop_jobs(v_source.source_id, 'gone', p_tasks => true);
    update evervec.dead_letter d
       set resolved_at = now(), resolved_by = 'untrack', note = format('source "%s" is not tracked any more', v_source.name)
     where d.source_id = v_source.source_id and d.resolved_at is null;
    delete from evervec.source s where s.source_id = v_source.source_id;
end
$$;

comment on function evervec.untrack(text, boolean) is
$$Removes triggers, generated functions, views and jobs of a source. p_drop_vectors: its embedding table, or the columns of column storage, too (default: they stay). Locks the table ACCESS EXCLUSIVE for a moment. Raises VE101, 55P03, 2BP01.$$;

revoke execute on function evervec.untrack(text, boolean) from public;
