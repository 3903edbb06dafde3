-- doctor_filters: finding: a filter whose condition names what is not there any more.
--
-- PostgreSQL parses the condition again and plans nothing, because planning would run what others have put into indexes and policies.
-- Locks:  none.
create or replace function evervec.doctor_filters(p_source evervec.source)
returns table (finding text, severity text, problem text, remedy text)
language plpgsql volatile
set search_path from current
set check_function_bodies = on
as $$
declare
    v_filter evervec.filter;
    v_error  text;
begin
    for v_filter in select * from evervec.filter f where f.source_id = p_source.source_id order by f.name loop
        select 'function evervec.' || quote_ident(n.name) || ' is not there'
          into v_error
          from unnest(evervec.filter_functions(p_source.name, v_filter.name)) as n (name)
         where (p_source.text_search is not null or n.name <> format('hybrid_search_%s_%s', p_source.name, v_filter.name))
           and not exists (select from pg_proc p where p.pronamespace = 'evervec'::regnamespace and p.proname = n.name)
         limit 1;
        if v_error is null then
            begin
                perform fmgr_sql_validator(p.oid)
                   from pg_proc p
                  where p.pronamespace = 'evervec'::regnamespace
                    and p.proname = format('filter_%s_%s', p_source.name, v_filter.name);
            exception when others then
                v_error := sqlerrm;
            end;
        end if;
        if v_error is not null then
            return query
            select 'broken filter', 'error',
                   format('Filter "%s" of "%s" fails: %s. Correct the condition in the remedy.', v_filter.name, p_source.name, rtrim(v_error, '.')),
                   format('select evervec.drop_filter(%1$L, %2$L); select evervec.add_filter(%1$L, %2$L, %3$L, %4$L);',
                          p_source.name, v_filter.name, v_filter.condition,
                          array(select format('%s %s', p.name, p.type)
                                  from unnest(v_filter.parameter_names, v_filter.parameter_types) with ordinality
                                       as p (name, type, ordinality) order by p.ordinality));
        end if;
    end loop;
end
$$;

comment on function evervec.doctor_filters(evervec.source) is
$$Internal. Finding of doctor: a filter that fails whatever the row.$$;

revoke execute on function evervec.doctor_filters(evervec.source) from public;
