-- complete_jobs: stores the vectors of leased jobs, each only while it is still true.
--
-- Fenced twice: the lease token must still be the job's, and the row's text, rendered again under a KEY SHARE lock, must still have the
-- claimed hash. A row that a user's transaction holds is never waited for. Vectors that were paid for go into the cache first, whatever
-- becomes of their rows.
--
-- Locks:  the cache's entries of these texts by (model_id, content_hash); then the jobs in (source_id, task_type, row_key) order; the row of a model that an error has paused, SKIP LOCKED; the rows FOR KEY SHARE SKIP LOCKED; table locks are waited for half a second.
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

    perform evervec.fill_cache(p_lease_token, p_job_ids, p_embeddings, p_notes);

    for v_batch in
        select l.source_id, s.model_id, array_agg(l.job_id order by l.job_id) as job_ids, array_agg(l.row_key order by l.job_id) as row_keys,
               array_agg(l.claimed_hash order by l.job_id) as hashes,
               array_agg(coalesce(l.embedding, c.embedding) order by l.job_id) as embeddings,
               array_agg(coalesce(l.note, c.note) order by l.job_id) as notes,
               bool_or(l.embedding is not null) as answered,
               array_agg(c.content_hash) filter (where c.content_hash is not null) as hits,
               array_agg(l.job_id) filter (where l.embedding is null and c.embedding is null) as missed
          from (
            select q.source_id, q.job_id, q.row_key, q.claimed_hash, u.embedding, u.note
              from unnest(p_job_ids, p_embeddings, p_notes) as u (job_id, embedding, note)
              join evervec.processing_queue q on q.job_id = u.job_id
             where q.lease_token = p_lease_token and q.status = 'processing' and q.claimed_hash is not null
             order by q.source_id, q.task_type, q.row_key
               for update of q
          ) l
          join evervec.source s on s.source_id = l.source_id
          left join evervec.embedding_cache c
            on l.embedding is null and s.cache and c.model_id = s.model_id and c.content_hash = l.claimed_hash
           and (c.note is null or s.too_long = 'cut')
         group by l.source_id, s.model_id
    loop
        if v_batch.missed is not null then
            -- Forgotten since the claim: the next one gives the text.
            perform evervec.finish_jobs(v_batch.missed, array_fill('retry'::text, array[cardinality(v_batch.missed)]));
            return query select u.job_id, 'retry' from unnest(v_batch.missed) as u (job_id);
            select v_batch.source_id, v_batch.model_id, array_agg(u.job_id) as job_ids, array_agg(u.row_key) as row_keys,
                   array_agg(u.hash) as hashes, array_agg(u.embedding) as embeddings, array_agg(u.note) as notes,
                   v_batch.answered as answered, v_batch.hits as hits
              into v_batch
              from unnest(v_batch.job_ids, v_batch.row_keys, v_batch.hashes, v_batch.embeddings, v_batch.notes)
                   as u (job_id, row_key, hash, embedding, note)
             where u.embedding is not null;
            continue when v_batch.job_ids is null;
        end if;
        select evervec.try_write_vectors(s, v_batch.row_keys, v_batch.hashes, v_batch.embeddings, v_batch.notes)
          into v_outcomes
          from evervec.source s
         where s.source_id = v_batch.source_id;
        perform evervec.finish_jobs(v_batch.job_ids, v_outcomes, v_batch.notes);
        if v_batch.hits is not null then
            perform evervec.count_hits(v_batch.model_id, v_batch.hits);
        end if;
        if v_batch.answered then
            perform evervec.free_model(v_batch.model_id);
        end if;
        return query select u.job_id, u.outcome from unnest(v_batch.job_ids, v_outcomes) as u (job_id, outcome);
    end loop;
end
$$;

comment on function evervec.complete_jobs(uuid, bigint[], vector[], text[]) is
$$Stores one vector a job and settles the jobs. A vector is NULL where claim_jobs said cached: it is taken from the cache. p_notes: beside the vector and in the receipt, such as where the text was cut; NULL members and NULL: none. outcome: completed; superseded (the row changed meanwhile, queued again); gone (row deleted); locked (a user's transaction holds the row, tried again later); retry (NULL, and the cache has none: queued again); lost (the lease is no longer yours, vector discarded). Keep calls under about 100 jobs so that transactions stay short. Raises VE109, VE301, 55P03.$$;

revoke execute on function evervec.complete_jobs(uuid, bigint[], vector[], text[]) from public;
