-- changed_keys: the query by which a trigger says which rows changed: source, operation, row_key.
--
-- A key is NULL where a key column was renamed (see key_decoy), and a NULL key in the log says: something changed in this source,
-- compare it all. Nor does it matter that another column has taken the name: the JSON is built of whatever type it has. The worker
-- sees the rename and writes the triggers' functions anew.
-- LATERAL and not a scalar subquery: the planner makes one flat plan of it, and single-row writers feel its start.
-- Locks:  none.
-- needs: functions/track/primary_key.sql
-- needs: functions/track/key_decoy.sql
create or replace function evervec.changed_keys(p_source evervec.source, p_operation text, p_rows text)
returns text
language sql stable
set search_path from current
as $$
    select format('select %s, %L::"char", k.key from %s r, %s, lateral (select case when %s then jsonb_build_object(%s) end as key from (select r.*) as changed) as k',
                  p_source.source_id, p_operation, p_rows, evervec.key_decoy(p_source),
                  string_agg(format('%I is not null', c.name), ' and ' order by c.ordinality),
                  string_agg(format('%L, %I%s', c.name, c.name, case when k.as_text then '::text' end), ', ' order by c.ordinality))
      from unnest(p_source.key_columns) with ordinality as c (name, ordinality)
      join evervec.primary_key(p_source.relation) k on k.ordinal = c.ordinality
$$;

comment on function evervec.changed_keys(evervec.source, text, text) is
$$Internal. SQL query for (source_id, operation, row_key) of the changed rows p_rows, a FROM item of a trigger.$$;

revoke execute on function evervec.changed_keys(evervec.source, text, text) from public;
