-- vector_indexes: the indexes over the vectors of a source, whoever made them, and which are as the source wants its own.
--
-- ours: in a table of evervec's own every one. Of those on a table of the user's nobody knows who made them.
-- lists of ivfflat that were chosen for other rows than there are now by a factor of four do not fit; those that somebody has set do.
-- With evervec's own rights: status shows it to many.
-- Locks:  none.
-- needs: functions/search/comparison.sql
-- needs: functions/index/fitting_lists.sql
create or replace function evervec.vector_indexes(p_source evervec.source)
returns table (index regclass, valid boolean, fits boolean, ours boolean)
language sql stable security definer
set search_path from current
as $$
    select i.indexrelid::regclass, i.indisvalid,
           a.amname = p_source.index_method
           and o.opcname = (evervec.comparison(p_source, p_source.index_precision, '', '')).operator_class
           and (select coalesce(bool_and(w.name || '=' || w.value = any (coalesce(c.reloptions, '{}'))), true)
                  from jsonb_each_text(p_source.index_options - 'rerank') as w (name, value))
           and (a.amname <> 'ivfflat' or p_source.index_options ? 'lists'
                or (select l.lists::numeric / evervec.fitting_lists(p_source.target) between 0.25 and 4
                      from (select coalesce(substring(c.reloptions::text from 'lists=(\d+)')::integer, 100) as lists) l)),
           p_source.storage <> 'column'
      from pg_index i
      join pg_class c on c.oid = i.indexrelid
      join pg_am a on a.oid = c.relam and a.amname in ('hnsw', 'ivfflat')
      join pg_opclass o on o.oid = i.indclass[0]
      join pg_attribute t on t.attrelid = i.indrelid and t.attname = p_source.vector_column
     where i.indrelid = p_source.target and i.indpred is null
       and exists (select from pg_depend d
                    where d.classid = 'pg_class'::regclass and d.objid = i.indexrelid
                      and d.refclassid = 'pg_class'::regclass and d.refobjid = i.indrelid and d.refobjsubid = t.attnum)
$$;

comment on function evervec.vector_indexes(evervec.source) is
$$Internal. The indexes over the vectors of a source: whether each is valid, is as the source wants its own, and may be dropped by evervec.$$;

revoke execute on function evervec.vector_indexes(evervec.source) from public;
