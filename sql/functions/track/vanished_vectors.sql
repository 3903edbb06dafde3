-- vanished_vectors: USING and WHERE of the DELETE by which a trigger removes the vectors e of rows that went.
--
-- needs: functions/track/key_match.sql
-- needs: functions/track/key_of_change.sql
-- Locks:  none.
create or replace function evervec.vanished_vectors(p_source evervec.source, p_rows text)
returns text
language sql immutable
set search_path from current
as $$
    select format('using (select %s from %s o, %s) as gone where %s',
                  string_agg(format('(select %1$I from (select o.*) as changed) as %1$I', c.name), ', ' order by c.ordinality),
                  p_rows,
                  (evervec.key_of_change(p_source, 'o')).decoy,
                  evervec.key_match(p_source, 'e', true, 'gone', false))
      from unnest(p_source.key_columns) with ordinality as c (name, ordinality)
$$;

comment on function evervec.vanished_vectors(evervec.source, text) is
$$Internal. SQL after DELETE FROM the embedding table e: those of the rows in p_rows, whose key columns are named as key_of_change does.$$;

revoke execute on function evervec.vanished_vectors(evervec.source, text) from public;
