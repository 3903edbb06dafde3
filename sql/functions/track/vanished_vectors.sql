-- vanished_vectors: USING and WHERE of the DELETE by which a trigger removes the vectors e of rows that went.
--
-- A column that has taken the key's name but not its type names no vector. The way over text makes that no parse error, and the way
-- over to_jsonb, which is not immutable, keeps the planner from trying the cast beforehand.
-- Locks:  none.
-- needs: functions/track/key_match.sql
-- needs: functions/track/key_decoy.sql
create or replace function evervec.vanished_vectors(p_source evervec.source, p_rows text)
returns text
language sql stable
set search_path from current
as $$
    select format('using (select %s from %s o, %s) as gone where %s',
                  string_agg(format('(select case when pg_typeof(%1$I) = %2$L::regtype then (to_jsonb(%1$I::text) #>> ''{}'')::%2$s end '
                                    'from (select o.*) as changed) as %1$I', c.name, c.type), ', ' order by c.ordinality),
                  p_rows,
                  evervec.key_decoy(p_source),
                  evervec.key_match(p_source, 'e', true, 'gone', false))
      from unnest(p_source.key_columns, p_source.key_types) with ordinality as c (name, type, ordinality)
$$;

comment on function evervec.vanished_vectors(evervec.source, text) is
$$Internal. SQL after DELETE FROM the embedding table e: those of the rows in p_rows, whose key columns may have been renamed: see key_decoy.$$;

revoke execute on function evervec.vanished_vectors(evervec.source, text) from public;
