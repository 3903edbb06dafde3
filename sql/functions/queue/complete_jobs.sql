-- complete_jobs: stores the vectors of leased jobs, each only while it is still true.
--
-- Fenced twice: the lease token must still be the job's, and the row's text, rendered again under a KEY SHARE lock, must still have the
-- claimed hash. A row that a user's transaction holds is never waited for.
--
-- Locks:  the jobs in (source_id, task_type, row_key) order; the row of a model that an error has paused, SKIP LOCKED; the rows FOR KEY SHARE SKIP LOCKED; table locks are waited for half a second.
-- Raises: VE301 bad arguments · VE109 a vector has not the model's dimensions
create or replace function evervec.complete_jobs(
    p_lease_token uuid,
    p_job_ids     bigint[],
    p_embeddings  vector[],
    p_notes       text[] default null
)
returns table (job_id bigint, outcome text)
language plpgsql security definer
set search_path from current
set lock_timeout = '500ms'
as $$
declare
    v_batch    record;
    v_outcomes text[];
    v_model    integer;
begin
    if p_lease_token is null or p_job_ids is null or p_embeddings is null
       or cardinality(p_job_ids) <> cardinality(p_embeddings)
       or cardinality(p_notes) <> cardinality(p_job_ids) then
        raise exception using
            errcode = 'VE301', message = 'complete_jobs needs a lease token and as many vectors as jobs',
            detail  = format('%s jobs, %s vectors, %s notes.', cardinality(p_job_ids), cardinality(p_embeddings),
                             coalesce(cardinality(p_notes)::text, 'no')),
            hint    = 'Pass the lease_token of claim_jobs and one vector a job_id, in the same order; p_notes may be left out.';
    end if;

    return query
    select u.job_id, 'lost'
      from unnest(p_job_ids) as u (job_id)
     where not exists (
        select from evervec.processing_queue q
         where q.job_id = u.job_id and q.lease_token = p_lease_token and q.status = 'processing');

    for v_batch in
        select l.source_id, array_agg(l.job_id order by l.job_id) as job_ids, array_agg(l.row_key order by l.job_id) as row_keys,
               array_agg(l.claimed_hash order by l.job_id) as hashes, array_agg(l.embedding order by l.job_id) as embeddings,
               array_agg(l.note order by l.job_id) as notes
          from (
            select q.source_id, q.job_id, q.row_key, q.claimed_hash, u.embedding, u.note
              from unnest(p_job_ids, p_embeddings, p_notes) as u (job_id, embedding, note)
              join evervec.processing_queue q on q.job_id = u.job_id
             where q.lease_token = p_lease_token and q.status = 'processing' and q.claimed_hash is not null
             order by q.source_id, q.task_type, q.row_key
               for update of q
          ) l
         group by l.source_id
    loop
        select evervec.try_write_vectors(s, v_batch.row_keys, v_batch.hashes, v_batch.embeddings, v_batch.notes), s.model_id
          into v_outcomes, v_model
          from evervec.source s
         where s.source_id = v_batch.source_id;
        perform evervec.finish_jobs(v_batch.job_ids, v_outcomes, v_batch.notes);
        perform evervec.free_model(v_model);
        return query select u.job_id, u.outcome from unnest(v_batch.job_ids, v_outcomes) as u (job_id, outcome);
    end loop;
end
$$;

comment on function evervec.complete_jobs(uuid, bigint[], vector[], text[]) is
$$Stores one vector a job and settles the jobs. p_notes: beside the vector and in the receipt, such as where the text was cut; NULL members and NULL: none. outcome: completed; superseded (the row changed meanwhile, queued again); gone (row deleted); locked (a user's transaction holds the row, tried again later); lost (the lease is no longer yours, vector discarded). Keep calls under about 100 jobs so that transactions stay short. Raises VE109, VE301, 55P03.$$;

revoke execute on function evervec.complete_jobs(uuid, bigint[], vector[], text[]) from public;
