-- doctor_index: finding: an index that is missing although there is much to search, that a killed build left invalid, or that is to be replaced.
--
-- Under 10,000 vectors an exact search takes milliseconds: advice. While most is still to be embedded none is wanted yet.
-- Locks:  none.
-- needs: functions/control/doctor_lists.sql
-- needs: functions/index/index_due.sql
-- needs: functions/index/index_of.sql
-- needs: functions/index/wanted_index.sql
-- needs: functions/queue/estimated_rows.sql
create or replace function evervec.doctor_index(p_source evervec.source)
returns table (finding text, severity text, problem text, remedy text)
language sql stable
set search_path from current
as $$
    select case when w.step = 'drop' then 'invalid index' when i.index is null then 'missing index' else 'former index' end,
           case when i.valid or i.index is null and (v.vectors < 10000 or w.column_name = 'document_text') then 'advice' else 'error' end,
           case when w.step = 'drop' and i.valid
                then format('Index %s of "%s" is invalid: a build that was killed has left it, searches do not use it, and writes pay for it. A worker drops it.', w.index, p_source.name)
                when i.valid
                then format('Searches of "%s" use an index that is not what the source wants now, until the other one is built. A worker builds it without blocking anybody.', p_source.name)
                else format('The %s of "%s" (about %s) have no %sindex: %s. A worker builds it without blocking anybody.',
                            case w.column_name when 'document' then 'words' when 'document_text' then 'texts' else 'vectors' end, p_source.name, v.vectors,
                            case when i.index is null then '' else 'valid ' end,
                            case w.column_name when 'document_text' then 'ts_rank_cd ranks their words, not BM25' else 'every search reads them all' end) end,
           format('select evervec.build_index(%L);', p_source.name)
      from evervec.wanted_index(p_source) w
      cross join lateral evervec.index_of(p_source, w.column_name) i
      cross join lateral (select evervec.estimated_rows(p_source.target) as vectors) v
     where (w.column_name = p_source.vector_column and p_source.pass_kind is null and i.index is not null and not w.building
            or evervec.index_due(p_source))
       and not (i.valid and exists (select from evervec.doctor_lists(p_source)))
$$;

comment on function evervec.doctor_index(evervec.source) is
$$Internal. Finding of doctor: a missing or invalid index, or one that is to be replaced.$$;

revoke execute on function evervec.doctor_index(evervec.source) from public;
