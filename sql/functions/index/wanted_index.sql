-- wanted_index: the next step towards the indexes that a source should have: that of its vectors before those of its words.
--
-- drop     an invalid one, which a killed build has left
-- create   one that is missing; a former one that it is to replace stands and is used meanwhile
-- replace  have searches use the new one, and drop those that nothing uses any more (replace_index)
--
-- One at a time, because two builds on a table would wait for each other. While somebody builds, what is invalid may be what is being built:
-- beside a valid one, too, by REINDEX CONCURRENTLY.
-- Locks:  none.
-- needs: functions/index/index_of.sql
-- needs: functions/index/running_build.sql
-- needs: functions/index/vector_indexes.sql
-- needs: functions/core/bm25_schema.sql
create or replace function evervec.wanted_index(
    p_source        evervec.source,
    out column_name text,
    out step        text,
    out index       regclass,
    out building    boolean
)
language sql stable
set search_path from current
as $$
    select w.column_name, w.step, case when w.step = 'drop' then w.index end, w.step = 'drop' and (evervec.running_build(p_source.target)).pid is not null
      from (
        select 1 as ordinal, p_source.vector_column as column_name, v.index,
               case when v.index is not null then 'drop'
                    when p_source.index_method <> 'none' and not v.stands then 'create'
                    when v.surplus or (p_source.search_method, p_source.search_precision) <> (p_source.index_method, p_source.index_precision)
                    then 'replace' end as step
          from (
            select (array_agg(x.index order by x.index::oid) filter (where not x.valid))[1] as index,
                   coalesce(bool_or(x.valid and x.fits), false) as stands,
                   coalesce(bool_or(x.valid and x.ours and not x.fits), false) as surplus
              from evervec.vector_indexes(p_source) x
          ) v
        union all
        select c.ordinal, c.column_name, x.index, case when x.index is null then 'create' when not x.valid then 'drop' end
          from (values (2, 'document', p_source.text_search is not null),
                       (3, 'document_text', p_source.bm25 and evervec.bm25_schema() is not null)) as c (ordinal, column_name, wanted)
          cross join lateral evervec.index_of(p_source, c.column_name) x
         where c.wanted
      ) w
     where w.step is not null
     order by w.ordinal
     limit 1
$$;

comment on function evervec.wanted_index(evervec.source) is
$$Internal. The next step towards the indexes of a source: over which column, whether to drop, create or replace; the invalid index to drop, and whether somebody is building; NULLs when nothing is left to do.$$;

revoke execute on function evervec.wanted_index(evervec.source) from public;
