-- add_dependencies: checks p_depends_on and keeps it: which other tables a recipe reads, and how their rows lead to ours.
--
-- {"schema.link": "column"} or {"schema.link": ["a", "b"]}: these columns hold our key; any change of such a row counts.
-- {"schema.other": {"columns": [...], "watch": [...], "keys": "query"}}: keys is a query over changed, which has the columns, and
-- gives our key columns in order. watch: an UPDATE counts when one of these changes; default: any column.
-- Locks:  none.
-- Raises: VE103 unknown column · VE104 anything else that is wrong with it · VE110 not permitted
create or replace function evervec.add_dependencies(p_source evervec.source, p_depends_on jsonb)
returns void
language plpgsql
set search_path from current
as $$
declare
    v_item     record;
    v_relation regclass;
    v_columns  text[];
    v_watched  text[];
    v_types    text[];
    v_keys     text;
    v_unknown  text;
    v_message  text;
    v_hint     text := 'For example: p_depends_on => ''{"public.game_genre": "game_id", "public.genre": {"columns": ["id"], "watch": ["name"], '
                       '"keys": "select gg.game_id from public.game_genre gg join changed c on c.id = gg.genre_id"}}''.';
begin
    if jsonb_typeof(p_depends_on) <> 'object' then
        raise exception using
            errcode = 'VE104', message = 'p_depends_on is not a JSON object',
            detail  = format('It is: %s', left(p_depends_on::text, 200)), hint = v_hint;
    end if;
    for v_item in select d.key as name, d.value, d.ordinality from jsonb_each(p_depends_on) with ordinality as d (key, value, ordinality) loop
        v_relation := to_regclass(v_item.name);
        if v_relation is null or v_relation = p_source.relation
           or not exists (select from pg_class c where c.oid = v_relation and c.relkind in ('r', 'p')) then
            raise exception using
                errcode = 'VE104',
                message = format('p_depends_on names "%s", which is not another table', v_item.name),
                detail  = 'Its keys are tables, written with their schema.', hint = v_hint;
        end if;
        if not pg_has_role((select c.relowner from pg_class c where c.oid = v_relation), 'usage') then
            raise exception using
                errcode = 'VE110',
                message = format('%s cannot be watched by %s', v_relation, current_user),
                detail  = 'Its owner''s rights are needed to create triggers on it.',
                hint    = format('GRANT %s TO %I;', (select c.relowner::regrole from pg_class c where c.oid = v_relation), current_user);
        end if;

        case jsonb_typeof(v_item.value)
            when 'object' then
                v_columns := array(select jsonb_array_elements_text(v_item.value -> 'columns'));
                v_watched := array(select jsonb_array_elements_text(v_item.value -> 'watch'));
                v_keys := v_item.value ->> 'keys';
            when 'array' then
                v_columns := array(select jsonb_array_elements_text(v_item.value));
                v_watched := '{}';
            else
                v_columns := array[v_item.value #>> '{}'];
                v_watched := '{}';
        end case;
        if jsonb_typeof(v_item.value) <> 'object' then
            v_keys := format('select %s from changed c', (
                select string_agg(format('c.%I', c.name), ', ' order by c.ordinality)
                  from unnest(v_columns) with ordinality as c (name, ordinality)));
        end if;
        if cardinality(v_watched) = 0 then
            v_watched := array(select a.attname from pg_attribute a
                                where a.attrelid = v_relation and a.attnum > 0 and not a.attisdropped order by a.attnum);
        end if;

        select c.name into v_unknown
          from unnest(v_columns || v_watched) as c (name)
         where evervec.column_text(v_relation, c.name) is null
         limit 1;
        if found then
            raise exception using
                errcode = 'VE103', message = format('column "%s" of %s does not exist', v_unknown, v_relation),
                detail  = 'p_depends_on names it.', hint = v_hint;
        end if;
        v_types := array(
            select format_type(a.atttypid, -1)
              from unnest(v_columns) with ordinality as c (name, ordinality)
              join pg_attribute a on a.attrelid = v_relation and a.attname = c.name
             order by c.ordinality);
        begin
            execute evervec.dependents_query(p_source, v_columns, v_types, v_keys, '''{}''::jsonb[]');
        exception when syntax_error_or_access_rule_violation or data_exception then
            get stacked diagnostics v_message = message_text;
            raise exception using
                errcode = 'VE104',
                message = format('p_depends_on says of %s what is no query for keys of %s', v_relation, p_source.relation),
                detail  = v_message, hint = v_hint;
        end;
        insert into evervec.dependency (source_id, ordinal, relation, columns, types, watched, keys)
        values (p_source.source_id, v_item.ordinality, v_relation, v_columns, v_types, v_watched, v_keys);
    end loop;
end
$$;

comment on function evervec.add_dependencies(evervec.source, jsonb) is
$$Internal. Checks p_depends_on and fills evervec.dependency. Raises VE103, VE104, VE110.$$;

revoke execute on function evervec.add_dependencies(evervec.source, jsonb) from public;
