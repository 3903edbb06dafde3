-- doctor_leases: finding: jobs whose lease ended long ago: nobody takes them back, so neither a worker nor a scheduler is running.
--
-- Locks:  none.
create or replace function evervec.doctor_leases(p_source evervec.source)
returns table (finding text, severity text, problem text, remedy text)
language sql stable
set search_path from current
as $$
    select 'stuck leases', 'error',
           format('%s jobs of "%s" are leased to a worker whose time was up at %s; probably no worker is running.', count(*), p_source.name,
                  min(q.lease_expires_at)),
           'select * from evervec.tick();'
      from evervec.processing_queue q
     where q.source_id = p_source.source_id and q.status = 'processing' and q.lease_expires_at < now() - interval '10 minutes'
    having count(*) > 0
$$;

comment on function evervec.doctor_leases(evervec.source) is
$$Internal. Finding of doctor: leases that expired more than ten minutes ago.$$;

revoke execute on function evervec.doctor_leases(evervec.source) from public;
