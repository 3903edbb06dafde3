-- compile_recipe: checks what p_columns or p_template asks for and compiles it to an SQL expression over row s.
--
-- Columns join as "Name: value" lines, blank ones left out. A row whose holes are all blank has no text, so no vector.
-- Locks:  none.
-- Raises: VE103 unknown column · VE104 no recipe, both kinds, an empty one, or a malformed template
create or replace function evervec.compile_recipe(
    p_relation        regclass,
    p_columns         text[],
    p_template        text,
    out columns       text[],
    out text_expression text
)
language plpgsql stable
set search_path from current
as $$
declare
    v_unknown text;
    v_hint    text := 'Give p_columns => ''{title,body}'', or p_template => ''{title}: {body}'', not both.';
    v_pieces  text;
begin
    case
        when p_columns is not null and p_template is not null then
            raise exception using
                errcode = 'VE104', message = 'a source has columns or a template, not both',
                detail  = 'p_columns and p_template were both given.', hint = v_hint;
        when p_columns is null and p_template is null then
            raise exception using
                errcode = 'VE104', message = 'no recipe for the text of a row',
                detail  = 'Neither p_columns nor p_template was given.', hint = v_hint;
        when cardinality(p_columns) = 0 then
            raise exception using
                errcode = 'VE104', message = 'p_columns is empty',
                detail  = 'A row''s text needs at least one column.', hint = v_hint;
        when p_columns is not null then
            columns := p_columns;
        else
            select array_agg(distinct t.hole) into columns
              from evervec.template_parts(p_template) t
             where t.hole is not null;
            if columns is null then
                raise exception using
                    errcode = 'VE104', message = 'the template names no column',
                    detail  = format('Every row would have the same text: %s', left(p_template, 200)),
                    hint    = 'Write {column} where a column''s value belongs.';
            end if;
    end case;

    select c.name into v_unknown
      from unnest(columns) as c (name)
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

    if p_columns is not null then
        select string_agg(
                   format('case when %2$s ~ ''\S'' then %1$L || %2$s end',
                          upper(left(c.name, 1)) || replace(substr(c.name, 2), '_', ' ') || ': ',
                          evervec.column_text(p_relation, c.name)),
                   ', ' order by c.ordinality)
          into v_pieces
          from unnest(p_columns) with ordinality as c (name, ordinality);
        text_expression := format('concat_ws(E''\n'', %s)', v_pieces);
    else
        select string_agg(coalesce(quote_literal(t.literal), evervec.column_text(p_relation, t.hole)), ' || ' order by t.ordinal)
          into v_pieces
          from evervec.template_parts(p_template) t;
        text_expression := format(
            'case when concat(%s) ~ ''\S'' then %s end',
            (select string_agg(evervec.column_text(p_relation, c.name), ', ') from unnest(columns) as c (name)),
            v_pieces);
    end if;
end
$$;

comment on function evervec.compile_recipe(regclass, text[], text) is
$$Internal. The columns that a recipe reads, and the recipe as an SQL expression over row s. Raises VE103 or VE104.$$;

revoke execute on function evervec.compile_recipe(regclass, text[], text) from public;
