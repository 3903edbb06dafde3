-- doctor_vectors: findings about what burdens the index of a source: vectors that are dead, and further indexes over the same column.
--
-- A search walks over dead vectors until VACUUM has taken them out of the index.
-- Locks:  none.
-- needs: functions/index/vector_indexes.sql
-- needs: functions/core/qualified_name.sql
create or replace function evervec.doctor_vectors(p_source evervec.source)
returns table (finding text, severity text, problem text, remedy text)
language sql stable
set search_path from current
as $$
    select 'dead vectors', 'advice',
           format('%s of %s rows of %s are dead: searches walk over them in the index until VACUUM, which takes its time over a large one, has been there.',
                  t.n_dead_tup, t.n_dead_tup + t.n_live_tup, t.relid::regclass),
           format('vacuum %s;', evervec.qualified_name(t.relid))
      from (select p_source.target::oid union select p.relid from pg_partition_tree(p_source.target) p) as r (relation)
      join pg_stat_all_tables t on t.relid = r.relation
     where t.n_dead_tup > 10000 and t.n_dead_tup > 0.3 * t.n_live_tup
       and exists (select from evervec.vector_indexes(p_source) x where x.valid)
    union all
    select 'further index', 'advice',
           format('Index %s lies over the vectors of "%s" and is not needed by its searches, which have another; writes pay for it.', x.index, p_source.name),
           format('drop index %s;', evervec.qualified_name(x.index))
      from evervec.vector_indexes(p_source) x
     where x.valid
       and exists (select from evervec.vector_indexes(p_source) y where y.valid and y.fits and (not x.fits or y.index::oid < x.index::oid))
       -- In a table of evervec's own, one that does not fit goes by itself.
       and (x.fits or p_source.storage = 'column'
                      and (p_source.search_method, p_source.search_precision) = (p_source.index_method, p_source.index_precision))
$$;

comment on function evervec.doctor_vectors(evervec.source) is
$$Internal. Findings of doctor: many dead vectors, and indexes that searches do not use.$$;

revoke execute on function evervec.doctor_vectors(evervec.source) from public;
