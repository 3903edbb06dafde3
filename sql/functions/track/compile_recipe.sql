-- compile_recipe: checks the recipe of a source and compiles it: the text as an SQL expression over row s, and what it reads.
--
-- Columns and templates: a row whose columns are all blank has no text, so no vector. A row that p_where does not want has none either.
-- Locks:  those of analyse_sql.
-- Raises: VE103 unknown column · VE104 no recipe, several, an empty one, a malformed one · VE110 unsafe SQL
create or replace function evervec.compile_recipe(
    p_relation          regclass,
    p_columns           text[],
    p_template          text,
    p_text_sql          text,
    p_where             text,
    out watched         text[],
    out text_expression text,
    out tables          regclass[]
)
language plpgsql
set search_path from current
as $$
declare
    v_hint    text := 'Give one of p_columns => ''{title,body}'', p_template => ''{title}: {body}'', or p_text_sql.';
    v_found   record;
    v_unknown text;
begin
    case num_nonnulls(p_columns, p_template, p_text_sql)
        when 0 then
            raise exception using
                errcode = 'VE104', message = 'no recipe for the text of a row',
                detail  = 'None of p_columns, p_template and p_text_sql was given.', hint = v_hint;
        when 1 then
            null;
        else
            raise exception using
                errcode = 'VE104', message = 'a source has one recipe: columns or a template or SQL, not both',
                detail  = 'More than one of p_columns, p_template and p_text_sql was given.', hint = v_hint;
    end case;
    tables := '{}';
    if p_text_sql is not null then
        select * into v_found from evervec.analyse_sql(p_relation, 'p_text_sql', p_text_sql);
        watched := v_found.columns;
        tables := v_found.tables;
        text_expression := format('(%s)::text', evervec.over_row(p_relation, p_text_sql));
    else
        watched := coalesce(p_columns, array(
            select distinct t.hole from evervec.template_parts(p_template) t where t.hole is not null order by t.hole));
        if cardinality(watched) = 0 then
            raise exception using
                errcode = 'VE104',
                message = case when p_columns is not null then 'p_columns is empty' else 'the template names no column' end,
                detail  = 'A row''s text needs at least one column, or every row would have the same.',
                hint    = v_hint;
        end if;
        select c.name into v_unknown
          from unnest(watched) as c (name)
         where evervec.column_text(p_relation, c.name) is null
         limit 1;
        if found then
            raise exception using
                errcode = 'VE103',
                message = format('column "%s" of %s does not exist', v_unknown, p_relation),
                detail  = 'Columns: ' || (
                    select string_agg(a.attname, ', ' order by a.attnum)
                      from pg_attribute a
                     where a.attrelid = p_relation and a.attnum > 0 and not a.attisdropped) || '.',
                hint    = 'Names are case-sensitive and written without quotes.';
        end if;
        text_expression := case when p_columns is not null then evervec.columns_text(p_relation, p_columns)
                                else evervec.template_text(p_relation, p_template) end;
    end if;

    if p_where is not null then
        select * into v_found from evervec.analyse_sql(p_relation, 'p_where', p_where);
        watched := array(select distinct w from unnest(watched || v_found.columns) w order by w);
        tables := tables || v_found.tables;
        text_expression := format('case when %s then %s end', evervec.over_row(p_relation, p_where), text_expression);
    end if;
end
$$;

comment on function evervec.compile_recipe(regclass, text[], text, text, text) is
$$Internal. The recipe as an SQL expression over row s, the columns whose changes count, and the other tables that it reads. Raises VE103, VE104, VE110.$$;

revoke execute on function evervec.compile_recipe(regclass, text[], text, text, text) from public;
