-- columns_text: columns joined as "Name: value" lines, blank ones left out, as an SQL expression over row s.
--
-- needs: functions/track/column_text.sql
-- Locks:  none.
create or replace function evervec.columns_text(p_relation regclass, p_columns text[])
returns text
language sql stable
set search_path from current
as $$
    select format('concat_ws(E''\n'', %s)',
                  string_agg(
                      format('case when %2$s ~ ''\S'' then %1$L || %2$s end',
                             upper(left(c.name, 1)) || replace(substr(c.name, 2), '_', ' ') || ': ',
                             evervec.column_text(p_relation, c.name)),
                      ', ' order by c.ordinality))
      from unnest(p_columns) with ordinality as c (name, ordinality)
$$;

comment on function evervec.columns_text(regclass, text[]) is
$$Internal. The recipe of p_columns as an SQL expression over row s.$$;

revoke execute on function evervec.columns_text(regclass, text[]) from public;
