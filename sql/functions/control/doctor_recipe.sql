-- doctor_recipe: finding: a recipe that cannot make texts any more, as after a rename in a table that it reads.
--
-- Locks:  ACCESS SHARE on what the recipe reads.
create or replace function evervec.doctor_recipe(p_source evervec.source)
returns table (finding text, severity text, problem text, remedy text)
language plpgsql volatile
set search_path from current
as $$
declare
    v_error text := p_source.last_error;
    v_call  text;
begin
    select coalesce(v_error, format('function evervec.%I is not there', min(e.name)))
      into v_error
      from (
        select f.prefix || '_' || p_source.name
          from unnest(array['nearest', 'find_similar', 'similar', 'key', 'canonical', 'render', 'write', 'erase', 'hashes', 'clear', 'archive', 'slice', 'orphans', 'sample']
                      || case when p_source.storage = 'manual' then array['put', 'remove'] end
                      || case when p_source.text_search is not null then array['document', 'redocument', 'hybrid_search'] end
                      || case when p_source.priority_sql is not null then array['priority'] end) as f (prefix)
      ) as e (name)
     where not exists (select from pg_proc p where p.pronamespace = 'evervec'::regnamespace and p.proname = e.name)
    having count(*) > 0 or v_error is not null;
    -- No rows are rendered: PostgreSQL plans the queries, and that is where names fail.
    foreach v_call in array array[
        format('select from evervec.%I(''{}'', null)', 'render_' || p_source.name),
        format('select from evervec.%I(null, 0, true)', 'slice_' || p_source.name)
    ] || array(
        select format('select from evervec.%I(''{}'')', p.proname)
          from pg_proc p
         where p.pronamespace = 'evervec'::regnamespace
           and p.proname = any (evervec.generated_functions(p_source.name))
           and (p.proname = 'priority_' || p_source.name or p.proname like 'dependents%')
    ) loop
        exit when v_error is not null;
        begin
            execute v_call;
        exception when others then
            v_error := sqlerrm;
        end;
    end loop;
    if v_error is not null then
        return query
        select 'broken recipe', 'error',
               format('Texts of "%s" cannot be made: %s. Correct the recipe in the remedy where it names what is not there any more.',
                      p_source.name, rtrim(v_error, '.')),
               format('select evervec.retrack(%s);', concat_ws(', ',
                    quote_literal(p_source.name),
                    'p_columns => ' || quote_literal(p_source.columns),
                    'p_template => ' || quote_literal(p_source.template),
                    'p_text_sql => ' || quote_literal(p_source.text_sql),
                    'p_where => ' || quote_literal(p_source.condition),
                    'p_retention => ' || quote_literal(p_source.retention),
                    'p_depends_on => ' || quote_literal(nullif(p_source.depends_on, '{}'))));
    end if;
end
$$;

comment on function evervec.doctor_recipe(evervec.source) is
$$Internal. Finding of doctor: a recipe, priority or dependency that fails whatever the row.$$;

revoke execute on function evervec.doctor_recipe(evervec.source) from public;
