-- wanted_index: the index that a source should have and has not, or not validly: that of its vectors before those of its words.
--
-- One at a time, because two builds on a table would wait for each other.
-- Locks:  none.
-- needs: functions/index/index_of.sql
-- needs: functions/core/bm25_schema.sql
create or replace function evervec.wanted_index(
    p_source        evervec.source,
    out column_name text,
    out index       regclass,
    out building    boolean
)
language sql stable
set search_path from current
as $$
    select w.column_name, i.index, coalesce(i.building, false)
      from (values (1, p_source.vector_column, p_source.index_method <> 'none'),
                   (2, 'document', p_source.text_search is not null),
                   (3, 'document_text', p_source.bm25 and evervec.bm25_schema() is not null)) as w (ordinal, column_name, wanted)
      cross join lateral evervec.index_of(p_source, w.column_name) i
     where w.wanted and i.valid is not true
     order by w.ordinal
     limit 1
$$;

comment on function evervec.wanted_index(evervec.source) is
$$Internal. Column of the index of a source that is missing or invalid, that index if there is one, and whether it is being built; NULLs when nothing is missing.$$;

revoke execute on function evervec.wanted_index(evervec.source) from public;
