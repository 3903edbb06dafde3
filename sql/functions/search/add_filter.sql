-- add_filter: a condition over the rows of a source, and functions that search among the rows that meet it.
--
-- The condition goes into the scan: a search for ten rows finds ten, as long as so many qualify.
-- Locks:  none that matter.
-- Raises: VE101 unknown source · VE106 a name that is empty, too long, or makes the name of another function ·
--         VE209 a filter of that name exists · VE210 not a condition, or a parameter that is not a name and a type
-- needs: functions/track/add_source.sql
create or replace function evervec.add_filter(
    p_source     text,
    p_name       text,
    p_condition  text,
    p_parameters text[] default '{}'
)
returns text
language plpgsql
set search_path from current
as $$
declare
    v_source    evervec.source := evervec.source_named(p_source);
    v_filter    evervec.filter;
    v_parameter text;
    v_parts     text[];
    v_type      regtype;
    v_taken     text;
begin
    if p_name is null or p_name !~ '\S' or octet_length(format('hybrid_search_%s_%s', p_source, p_name)) > 63 then
        raise exception using
            errcode = 'VE106',
            message = format('a filter of source "%s" cannot be named %s', p_source, coalesce(quote_literal(p_name), 'NULL')),
            detail  = 'The names of its functions are made of that of the source and its own, and PostgreSQL keeps 63 bytes.',
            hint    = format('Give a p_name of 1 to %s bytes.', 63 - octet_length(format('hybrid_search_%s_', p_source)));
    elsif exists (select from evervec.filter f where f.source_id = v_source.source_id and f.name = p_name) then
        raise exception using
            errcode = 'VE209',
            message = format('source "%s" has a filter "%s" already', p_source, p_name),
            detail  = (select format('Its condition is: %s', f.condition)
                         from evervec.filter f where f.source_id = v_source.source_id and f.name = p_name),
            hint    = format('Give another p_name, or first: SELECT evervec.drop_filter(%L, %L);', p_source, p_name);
    end if;
    select p.proname into v_taken
      from pg_proc p
     where p.pronamespace = 'evervec'::regnamespace and p.proname = any (evervec.filter_functions(p_source, p_name))
     limit 1;
    if found then
        raise exception using
            errcode = 'VE106',
            message = format('a filter of source "%s" cannot be named "%s"', p_source, p_name),
            detail  = format('Its function %I would bear the name of one that is there.', v_taken),
            hint    = 'Give another p_name.';
    end if;

    foreach v_parameter in array coalesce(p_parameters, '{}') loop
        v_parts := regexp_match(v_parameter, '^\s*([a-z_][a-z0-9_]*)\s+(\S.*?)\s*$');
        begin
            v_type := to_regtype(v_parts[2]);
        exception when syntax_error then
            v_type := null;
        end;
        if v_type is null
           or v_parts[1] = any (array['p_query', 'p_limit', 'p_min_similarity', 'p_exclude', 'p_diversity',
                                'p_text', 'p_vector_weight', 'p_text_weight', 'p_k', 'similarity', 'distance', 'row_key', 'score',
                                'vector_rank', 'text_rank', 'text_score'] || v_filter.parameter_names)
           -- In the condition, the column would be meant.
           or exists (select from pg_attribute a where a.attrelid = v_source.relation and a.attname = v_parts[1]) then
            raise exception using
                errcode = 'VE210',
                message = format('%s is not a parameter for a filter', coalesce(quote_literal(v_parameter), 'NULL')),
                detail  = 'A parameter is a name, in lower case, not that of a column or of what every search has, and a type.',
                hint    = 'Write it as in ''p_from integer''; name types of your own with their schema.';
        end if;
        v_filter.parameter_names := v_filter.parameter_names || v_parts[1];
        v_filter.parameter_types := v_filter.parameter_types || format_type(v_type, null);
    end loop;
    insert into evervec.filter (source_id, name, condition, parameter_names, parameter_types)
    values (v_source.source_id, p_name, coalesce(p_condition, ''), coalesce(v_filter.parameter_names, '{}'),
            coalesce(v_filter.parameter_types, '{}'))
    returning * into v_filter;
    perform evervec.create_filter_functions(v_source, v_filter);
    perform evervec.renew_access();
    return format('find_similar_%s_%s', p_source, p_name);
end
$$;

comment on function evervec.add_filter(text, text, text, text[]) is
$$Adds a filter to a source and returns the name of its search function, find_similar_<source>_<filter>(p_query, its parameters, p_limit, p_min_similarity, p_exclude, p_diversity). p_condition: SQL over the row, which is called by its table's name; it may look into other tables by EXISTS or IN, named with their schema, and is evaluated with the caller's privileges. p_parameters: 'name type' each, such as 'p_from integer', in the condition by name or as $1, $2, …. Raises VE101, VE106, VE209, VE210.$$;

revoke execute on function evervec.add_filter(text, text, text, text[]) from public;
