-- due_indexes: the sources whose vector index a worker should build now.
--
-- Locks:  none.
-- needs: functions/index/index_due.sql
create or replace function evervec.due_indexes(p_sources text[] default null)
returns setof text
language sql stable security definer
set search_path from current
as $$
    select s.name
      from evervec.source s
     where (p_sources is null or s.name = any (p_sources)) and evervec.index_due(s)
     order by s.name
$$;

comment on function evervec.due_indexes(text[]) is
$$The sources, of p_sources or (NULL) of all, whose vector index is missing or invalid and should be built now (see index_statement): at least 95 % of what is there is embedded, or the queue has stayed longer than that for 15 minutes after the last slice of a backfill (setting index_wait).$$;

revoke execute on function evervec.due_indexes(text[]) from public;
