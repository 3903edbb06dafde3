-- key_of_change: the SQL by which a trigger names a changed row: a scalar subquery over the row and a decoy.
--
-- A key column that was renamed must not make an application's write fail. The column is named inside a subquery over the row alone;
-- when the row has no such column any more, the name means the decoy's NULL, the key is NULL, and a NULL key in the log says:
-- something changed in this source, compare it all. Nor must another column that has taken the name: the JSON is built of whatever
-- type it has. The worker sees the rename and writes the triggers' functions anew.
-- Locks:  none.
-- needs: functions/track/primary_key.sql
create or replace function evervec.key_of_change(p_source evervec.source, p_row text, out key text, out decoy text)
language sql stable
set search_path from current
as $$
    select format('(select case when %s then jsonb_build_object(%s) end from (select %s.*) as changed)',
                  string_agg(format('%I is not null', c.name), ' and ' order by c.ordinality),
                  string_agg(format('%L, %I%s', c.name, c.name, case when k.as_text then '::text' end), ', ' order by c.ordinality),
                  p_row),
           format('(select %s) as decoy', string_agg(format('null::%s as %I', c.type, c.name), ', ' order by c.ordinality))
      from unnest(p_source.key_columns, p_source.key_types) with ordinality as c (name, type, ordinality)
      join evervec.primary_key(p_source.relation) k on k.ordinal = c.ordinality
$$;

comment on function evervec.key_of_change(evervec.source, text) is
$$Internal. key: SQL expression for the row_key of row p_row in a trigger, NULL when a key column was renamed; decoy: the FROM item that it needs.$$;

revoke execute on function evervec.key_of_change(evervec.source, text) from public;
