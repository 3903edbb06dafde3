-- doctor_updates: finding: column storage whose updates re-insert rows into the vector index because pages have no room for HOT updates.
--
-- Locks:  none.
-- needs: functions/index/index_of.sql
-- needs: functions/core/qualified_name.sql
create or replace function evervec.doctor_updates(p_source evervec.source)
returns table (finding text, severity text, problem text, remedy text)
language sql stable
set search_path from current
as $$
    select 'costly updates', 'advice',
           format('%s of %s updates of %s were not HOT: each of them inserts the row into the vector index again. Room in its pages helps, '
                  'from VACUUM FULL on for rows that are there; p_storage => ''table'' does away with it.',
                  t.n_tup_upd - t.n_tup_hot_upd, t.n_tup_upd, t.relid::regclass),
           format('alter table %s set (fillfactor = 80);', evervec.qualified_name(t.relid))
      from pg_stat_all_tables t
      join pg_class c on c.oid = t.relid and c.relkind = 'r'
     where p_source.storage = 'column'
       and t.relid = any (p_source.partitions || p_source.relation::oid)
       -- Storing the vectors is one update a row by itself.
       and t.n_tup_upd > 1000 + 2 * t.n_live_tup
       and t.n_tup_hot_upd < t.n_tup_upd / 2
       and not coalesce(c.reloptions, '{}')::text ~ 'fillfactor'
       and (evervec.index_of(p_source)).index is not null
$$;

comment on function evervec.doctor_updates(evervec.source) is
$$Internal. Finding of doctor: updates of column storage that are not HOT.$$;

revoke execute on function evervec.doctor_updates(evervec.source) from public;
