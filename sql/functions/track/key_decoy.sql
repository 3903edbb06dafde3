-- key_decoy: a FROM item with the names of the key columns, for triggers: what a name means when the row has it no longer.
--
-- A key column that was renamed must not make an application's write fail. The column is named inside a subquery over the row alone;
-- when the row has no such column any more, the name means the decoy's NULL.
-- Locks:  none.
create or replace function evervec.key_decoy(p_source evervec.source)
returns text
language sql immutable
set search_path from current
as $$
    select format('(select %s) as decoy', string_agg(format('null::%s as %I', c.type, c.name), ', ' order by c.ordinality))
      from unnest(p_source.key_columns, p_source.key_types) with ordinality as c (name, type, ordinality)
$$;

comment on function evervec.key_decoy(evervec.source) is
$$Internal. FROM item decoy: the key columns, all NULL.$$;

revoke execute on function evervec.key_decoy(evervec.source) from public;
