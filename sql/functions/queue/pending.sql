-- pending: what is still to be done, of one source or of all.
--
-- Locks:  none.
-- Raises: VE101 unknown source
create or replace function evervec.pending(p_source text default null)
returns table (log bigint, queued bigint, processing bigint, retrying bigint, backfill bigint)
language plpgsql stable security definer
set search_path from current
as $$
declare
    v_source_id integer := case when p_source is not null then (evervec.source_named(p_source)).source_id end;
begin
    return query
    select (select count(*) from evervec.change_log l
             where l.source_id = v_source_id
                or v_source_id is null and l.source_id in (select s.source_id from evervec.source s)),
           q.queued, q.processing, q.retrying,
           (select coalesce(sum(greatest(evervec.estimated_rows(s.relation) - s.pass_examined, 1)), 0)::bigint
              from evervec.source s
             where s.pass_kind is not null and (v_source_id is null or s.source_id = v_source_id))
      from (
        select count(*) filter (where j.status = 'pending' and j.attempts = 0) as queued,
               count(*) filter (where j.status = 'processing') as processing,
               count(*) filter (where j.status = 'pending' and j.attempts > 0) as retrying
          from evervec.processing_queue j
         where v_source_id is null or j.source_id = v_source_id
      ) q;
end
$$;

comment on function evervec.pending(text) is
$$Work not done yet, of one source or (NULL) of all. log: changes not folded; queued, processing, retrying: jobs, exact; backfill: estimate of the rows that a pass under way has not looked at, at least 1 while there is a pass. All 0: every vector is up to date. Raises VE101.$$;

revoke execute on function evervec.pending(text) from public;
