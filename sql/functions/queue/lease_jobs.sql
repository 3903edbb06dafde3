-- lease_jobs: leases jobs that due_jobs has locked in this transaction.
--
-- Locks:  these jobs.
create or replace function evervec.lease_jobs(p_job_ids bigint[], p_hashes bytea[], p_lease interval, p_lease_token uuid)
returns setof evervec.processing_queue
language sql
set search_path from current
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
as $$
    update evervec.processing_queue q
       set status             = 'processing',
           lease_token        = p_lease_token,
           lease_expires_at   = clock_timestamp() + p_lease,
           claimed_generation = q.generation,
           claimed_hash       = u.hash,
           started_at         = clock_timestamp()
      from unnest(p_job_ids, p_hashes) as u (job_id, hash)
     where q.job_id = u.job_id
    returning q.*
$$;

comment on function evervec.lease_jobs(bigint[], bytea[], interval, uuid) is
$$Internal. Leases jobs under a token. p_hashes: SHA-256 of the text of each, for which alone its vector will be stored; NULL members and NULL: it gets no vector.$$;

revoke execute on function evervec.lease_jobs(bigint[], bytea[], interval, uuid) from public;
