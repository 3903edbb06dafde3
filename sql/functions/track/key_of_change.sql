-- key_of_change: the SQL by which a trigger names a changed row: a scalar subquery over the row and a decoy.
--
-- A key column that was renamed must not make an application's write fail. The column is named inside a subquery over the row alone;
-- when the row has no such column any more, the name means the decoy's NULL, the key is NULL, and a NULL key in the log says:
-- something changed in this source, compare it all. The worker then writes the triggers' functions anew.
-- Locks:  none.
create or replace function evervec.key_of_change(p_source evervec.source, p_row text, out key text, out decoy text)
language sql immutable
set search_path from current
as $$
    select format('(select evervec.%I(%s) from (select %s.*) as changed)',
                  'key_' || p_source.name, string_agg(quote_ident(c.name), ', ' order by c.ordinality), p_row),
           format('(select %s) as decoy', string_agg(format('null::%s as %I', c.type, c.name), ', ' order by c.ordinality))
      from unnest(p_source.key_columns, p_source.key_types) with ordinality as c (name, type, ordinality)
$$;

comment on function evervec.key_of_change(evervec.source, text) is
$$Internal. key: SQL expression for the row_key of row p_row in a trigger, NULL when a key column was renamed; decoy: the FROM item that it needs.$$;

revoke execute on function evervec.key_of_change(evervec.source, text) from public;
