-- doctor_lists: finding: an ivfflat index whose lists were chosen for four times as many rows as there are, or for a quarter.
--
-- Too few lists make searches slow, too many make them miss rows. Those that evervec chose are chosen anew by the next build.
-- Locks:  none.
-- needs: functions/index/vector_indexes.sql
-- needs: functions/index/fitting_lists.sql
create or replace function evervec.doctor_lists(p_source evervec.source)
returns table (finding text, severity text, problem text, remedy text)
language sql stable
set search_path from current
as $$
    select 'unfit lists', 'advice',
           format('The index of "%s" has %s lists; for its rows there should be about %s. %s', p_source.name, l.lists, l.fitting,
                  case when p_source.index_options ? 'lists' then 'They were set: without, evervec chooses them.' else 'A worker builds it anew.' end),
           case when p_source.index_options ? 'lists'
                then format('select evervec.retrack(%L, p_index_options => %L);', p_source.name, p_source.index_options - 'lists')
                else format('select evervec.build_index(%L);', p_source.name) end
      from evervec.vector_indexes(p_source) x
      join pg_class c on c.oid = x.index and x.valid
      join pg_am a on a.oid = c.relam and a.amname = 'ivfflat'
      cross join lateral (select coalesce(substring(c.reloptions::text from 'lists=(\d+)')::integer, 100) as lists,
                                 evervec.fitting_lists(p_source.target) as fitting) l
     where p_source.index_method = 'ivfflat' and not l.lists::numeric / l.fitting between 0.25 and 4
$$;

comment on function evervec.doctor_lists(evervec.source) is
$$Internal. Finding of doctor: lists of ivfflat that do not fit the number of rows by a factor of four.$$;

revoke execute on function evervec.doctor_lists(evervec.source) from public;
