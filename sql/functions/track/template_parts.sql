-- template_parts: a template taken apart into literal text and {column} holes.
--
-- {column|text} has a default for a blank value. {{ and }} stand for single braces. Everything else in braces is a column's name,
-- as it is spelled in the catalog.
-- Locks:  none.
-- Raises: VE104 unbalanced brace or an empty hole
create or replace function evervec.template_parts(p_template text)
returns table (ordinal bigint, literal text, hole text, fallback text)
language plpgsql immutable strict
set search_path from current
as $$
declare
    v_part record;
begin
    for v_part in
        select m.ordinality, m.match[1] as part
          from regexp_matches(p_template, '(\{\{|\}\}|\{[^{}]*\}|[^{}]+|.)', 'g') with ordinality as m (match, ordinality)
         order by m.ordinality
    loop
        ordinal := v_part.ordinality;
        literal := null;
        hole := null;
        fallback := null;
        case
            when v_part.part in ('{{', '}}') then
                literal := left(v_part.part, 1);
            when v_part.part ~ '^\{\s*(\|.*)?\}$' or v_part.part in ('{', '}') then
                raise exception using
                    errcode = 'VE104',
                    message = case when v_part.part in ('{', '}')
                                   then format('unbalanced "%s" in the template', v_part.part)
                                   else 'a hole in the template names no column' end,
                    detail  = format('Template: %s', left(p_template, 200)),
                    hint    = 'Write {column} for a column, {column|default} for one that may be empty, {{ and }} for single braces.';
            when v_part.part like '{%' then
                hole := regexp_replace(substr(v_part.part, 2, length(v_part.part) - 2), '\|.*$', '');
                fallback := substring(v_part.part, '^[^|]*\|(.*)\}$');
            else
                literal := v_part.part;
        end case;
        return next;
    end loop;
end
$$;

comment on function evervec.template_parts(text) is
$$Internal. The parts of a template in order: literal text, or the column that a {hole} names and its default. Raises VE104.$$;

revoke execute on function evervec.template_parts(text) from public;
