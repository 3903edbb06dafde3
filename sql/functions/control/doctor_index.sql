-- doctor_index: finding: a vector index that is missing although there is much to search, or that a killed build left invalid.
--
-- Under 10,000 vectors an exact search takes milliseconds: advice. While most is still to be embedded none is wanted yet.
-- Locks:  none.
-- needs: functions/index/index_due.sql
-- needs: functions/index/index_of.sql
-- needs: functions/queue/estimated_rows.sql
create or replace function evervec.doctor_index(p_source evervec.source)
returns table (finding text, severity text, problem text, remedy text)
language sql stable
set search_path from current
as $$
    select case when i.index is null then 'missing index' else 'invalid index' end,
           case when i.index is null and v.vectors < 10000 then 'advice' else 'error' end,
           format('The vectors of "%s" (about %s) have no %sindex: every search reads them all. A worker builds it without blocking anybody.',
                  p_source.name, v.vectors, case when i.index is null then '' else 'valid ' end),
           format('select evervec.build_index(%L);', p_source.name)
      from evervec.index_of(p_source) i
      cross join lateral (select evervec.estimated_rows(p_source.target) as vectors) v
     where p_source.index_method <> 'none' and p_source.pass_kind is null and not i.valid and not i.building
        or evervec.index_due(p_source)
$$;

comment on function evervec.doctor_index(evervec.source) is
$$Internal. Finding of doctor: a missing or invalid vector index.$$;

revoke execute on function evervec.doctor_index(evervec.source) from public;
