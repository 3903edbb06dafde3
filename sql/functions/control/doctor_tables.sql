-- doctor_tables: finding: a source whose table, or whose vectors' table, was dropped.
--
-- Locks:  none.
-- needs: functions/control/track_statement.sql
create or replace function evervec.doctor_tables(p_source evervec.source)
returns table (finding text, severity text, problem text, remedy text)
language sql stable
set search_path from current
as $$
    select 'table dropped', 'error',
           format('The table %s is gone; source "%s" has nothing to follow.', p_source.relation_name, p_source.name),
           format('select evervec.untrack(%L, p_drop_vectors => true);', p_source.name)
     where not exists (select from pg_class c where c.oid = p_source.relation)
    union all
    -- The triggers erase vectors through a view, which went with the table.
    select 'embedding table dropped', 'error',
           format('The table of vectors %s is gone: nothing is embedded, and a DELETE from %s fails.', p_source.target_name, p_source.relation_name),
           format('select evervec.untrack(%L), %s;', p_source.name, evervec.track_statement(p_source))
     where exists (select from pg_class c where c.oid = p_source.relation)
       and not exists (select from pg_class c where c.oid = p_source.target)
$$;

comment on function evervec.doctor_tables(evervec.source) is
$$Internal. Finding of doctor: a dropped table.$$;

revoke execute on function evervec.doctor_tables(evervec.source) from public;
