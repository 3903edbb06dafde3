-- fitting_lists: how many lists an ivfflat index over as many rows as a table has now should have.
--
-- pgvector's advice: a thousandth of the rows, from a million on their root; never fewer than ten.
-- Locks:  none.
-- needs: functions/queue/estimated_rows.sql
create or replace function evervec.fitting_lists(p_target regclass)
returns integer
language sql stable
set search_path from current
as $$
    select greatest(10, least(32768, case when r.vectors <= 1e6 then r.vectors / 1000 else sqrt(r.vectors) end))::integer
      from (select coalesce(evervec.estimated_rows(p_target), 0)::double precision as vectors) r
$$;

comment on function evervec.fitting_lists(regclass) is
$$Internal. The number of lists of an ivfflat index over the rows of a table.$$;

revoke execute on function evervec.fitting_lists(regclass) from public;
