-- index_status: every index of a source: its vectors', and those of their words.
--
-- Also those that are missing. It looks at no row of anybody's.
-- Locks:  none.
-- Raises: VE101 unknown source
-- needs: functions/core/source_named.sql
-- needs: functions/index/build_memory.sql
-- needs: functions/index/index_of.sql
-- needs: functions/index/running_build.sql
-- needs: functions/index/vector_indexes.sql
create or replace function evervec.index_status(p_source text default null)
returns table (
    source          text,
    covers          text,
    index           text,
    state           text,
    progress        real,
    phase           text,
    method          text,
    index_precision text,
    options         text[],
    bytes           bigint,
    row_count       bigint,
    effort          integer,
    build_bytes     bigint
)
language plpgsql stable security definer
set search_path from current
as $$
begin
    if p_source is not null then
        perform evervec.source_named(p_source);
    end if;
    return query
    select s.name, w.covers, x.index::text,
           case when w.wanted and not x.valid and b.pid is not null and x.index = coalesce(b.index, x.index) then 'building'
                when not x.valid then 'invalid'
                when x.valid and not x.fits then 'former'
                when x.valid then 'valid'
                when w.wanted then 'missing'
                else 'none' end,
           case when not x.valid and x.index = coalesce(b.index, x.index) then b.progress end,
           case when not x.valid and x.index = coalesce(b.index, x.index) then b.phase end,
           coalesce(a.amname, case w.covers when 'vectors' then s.index_method when 'words' then 'gin' else 'bm25' end)::text,
           case when w.covers <> 'vectors' then null
                when o.opcname is null then s.index_precision
                when o.opcname = 'bit_hamming_ops' then 'bit'
                when o.opcname ~ '^halfvec' then 'half'
                else 'full' end,
           c.reloptions,
           (select sum(pg_relation_size(t.index)) from (select x.index union select p.relid from pg_partition_tree(x.index) p) as t (index))::bigint,
           evervec.estimated_rows(s.target),
           case when w.covers = 'vectors' then s.search_effort end,
           case when w.covers = 'vectors' then evervec.build_memory(s) end
      from evervec.source s
      cross join lateral (
        values ('vectors', 1, s.vector_column, s.index_method <> 'none'),
               ('words', 2, 'document', s.text_search is not null),
               ('texts', 3, 'document_text', s.bm25)) as w (covers, ordinal, column_name, wanted)
      left join lateral (
        select v.index, v.valid, v.fits from evervec.vector_indexes(s) v where w.covers = 'vectors'
        union all
        select i.index, i.valid, true from evervec.index_of(s, w.column_name) i where w.covers <> 'vectors' and w.wanted and i.index is not null
        union all
        -- What is wanted, and not there.
        select null, null, null
         where case when w.covers = 'vectors'
                    then not exists (select from evervec.vector_indexes(s) v where v.valid and v.fits or not v.valid)
                    else w.wanted and (evervec.index_of(s, w.column_name)).index is null end
      ) x on true
      left join pg_class c on c.oid = x.index
      left join pg_am a on a.oid = c.relam
      left join pg_index i on i.indexrelid = x.index
      left join pg_opclass o on o.oid = i.indclass[0]
      cross join lateral evervec.running_build(s.target) b
     where (p_source is null or s.name = p_source)
       and (w.covers = 'vectors' or w.wanted)
       and exists (select from pg_class t where t.oid = s.target)
     order by s.name, w.ordinal, x.valid desc nulls last, x.index::text;
end
$$;

comment on function evervec.index_status(text) is
$$One row an index of p_source, or (NULL) of all sources. covers: vectors, words (p_text_search) or texts (p_bm25); index: its name; state: valid, building (concurrently, by anybody; progress from 0 to 0.99, and phase, NULL where they may not be seen), invalid (a killed build has left it), former (used until the one that the source wants now is built), missing, or none (no index is wanted). method, index_precision, options, bytes: of the index. row_count: vectors, as the planner estimates; effort: what tune has stored; build_bytes: maintenance_work_mem with which its build is fast, by as many vectors as there are now. Raises VE101.$$;

revoke execute on function evervec.index_status(text) from public;
