-- lock_leased: of some jobs those that a lease still holds, locked.
--
-- Who holds one of them is a fold of many changes, or a user who has enqueued its row: waited for longer than a table, because the vectors
-- are paid for, and longer than deadlock_timeout. Who has a lease is processing; said by its status, a kept plan might read all that are.
-- Locks:  these jobs, in (source_id, task_type, row_key) order, waited for two seconds.
-- Raises: 55P03 one of them stays locked
create or replace function evervec.lock_leased(
    p_lease_token uuid,
    p_job_ids     bigint[],
    out source_ids integer[],
    out row_keys   jsonb[],
    out hashes     bytea[]
)
language sql
set search_path from current
set lock_timeout = '2s'
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
as $$
    with locked as materialized (
        select u.ordinality, q.source_id, q.row_key, q.claimed_hash
          from unnest(p_job_ids) with ordinality as u (job_id, ordinality)
          join evervec.processing_queue q on q.job_id = u.job_id
         where q.lease_token = p_lease_token and q.claimed_hash is not null
         order by q.source_id, q.task_type, q.row_key
           for update of q
    )
    select array_agg(l.source_id order by u.ordinality), array_agg(l.row_key order by u.ordinality),
           array_agg(l.claimed_hash order by u.ordinality)
      from unnest(p_job_ids) with ordinality as u (job_id, ordinality)
      left join locked l on l.ordinality = u.ordinality
$$;

comment on function evervec.lock_leased(uuid, bigint[]) is
$$Internal. Locks those of some jobs that wait for their vector under a lease. Source, key and SHA-256 of the text of each, in the order of p_job_ids; NULL: no longer under the lease. Raises 55P03.$$;

revoke execute on function evervec.lock_leased(uuid, bigint[]) from public;
