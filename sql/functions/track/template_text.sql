-- template_text: a template as an SQL expression over row s; NULL when all its holes are blank.
--
-- needs: functions/track/template_parts.sql
-- needs: functions/track/column_text.sql
-- Locks:  none.
-- Raises: VE104 malformed template
create or replace function evervec.template_text(p_relation regclass, p_template text)
returns text
language sql stable
set search_path from current
as $$
    with part as (
        select t.ordinal, t.literal, evervec.column_text(p_relation, t.hole) as hole, t.fallback
          from evervec.template_parts(p_template) t
    )
    select format('case when concat(%s) ~ ''\S'' then %s end',
                  string_agg(p.hole, ', ' order by p.ordinal),
                  string_agg(case when p.literal is not null then quote_literal(p.literal)
                                  when p.fallback is not null
                                  then format('case when %1$s ~ ''\S'' then %1$s else %2$L end', p.hole, p.fallback)
                                  else p.hole end, ' || ' order by p.ordinal))
      from part p
$$;

comment on function evervec.template_text(regclass, text) is
$$Internal. The recipe of p_template as an SQL expression over row s. Raises VE104.$$;

revoke execute on function evervec.template_text(regclass, text) from public;
