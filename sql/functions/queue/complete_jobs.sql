-- complete_jobs: stores the vectors of leased jobs, each only while it is still true.
--
-- Fenced twice: the lease token must still be the job's, and the row's text, rendered again under a KEY SHARE lock, must still have the
-- claimed hash. A row that a user's transaction holds is never waited for. Vectors that were paid for go into the cache first, whatever
-- becomes of their rows.
--
-- Locks:  the jobs in (source_id, task_type, row_key) order, waited for two seconds; the cache's entries of these texts by (model_id, content_hash); the row of a model that an error has paused, SKIP LOCKED; the rows FOR KEY SHARE SKIP LOCKED; table locks are waited for half a second.
-- Raises: VE301 bad arguments · VE109 a vector has not the model's dimensions · 55P03 a job or a table stays locked: call again
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
    v_leased   record;
    v_source   evervec.source;
    v_batch    record;
    v_outcomes text[];
    v_twice    bigint;
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

    select u.job_id into v_twice from unnest(p_job_ids) as u (job_id) group by u.job_id having count(u.job_id) > 1 limit 1;
    if found then
        raise exception using
            errcode = 'VE301', message = 'complete_jobs was given a job twice',
            detail  = format('Job %s is in p_job_ids more than once; nothing of this call was stored.', v_twice),
            hint    = 'Pass each job_id once, with the one vector of its text.';
    end if;

    select * into v_leased from evervec.lock_leased(p_lease_token, p_job_ids);

    return query
    select u.job_id, 'lost' from unnest(p_job_ids, v_leased.source_ids) as u (job_id, source_id) where u.source_id is null;

    perform evervec.fill_cache(v_leased.source_ids, v_leased.hashes, p_embeddings, p_notes);

    for v_source in
        select * from evervec.source s where s.source_id = any (v_leased.source_ids) order by s.source_id
    loop
        select array_agg(u.job_id) filter (where v.embedding is not null) as job_ids,
               array_agg(u.row_key) filter (where v.embedding is not null) as row_keys,
               array_agg(u.hash) filter (where v.embedding is not null) as hashes,
               array_agg(v.embedding) filter (where v.embedding is not null) as embeddings,
               array_agg(v.note) filter (where v.embedding is not null) as notes,
               bool_or(u.embedding is not null) as answered,
               array_agg(u.hash) filter (where c.embedding is not null) as hits,
               array_agg(u.job_id) filter (where v.embedding is null) as missed
          into v_batch
          from unnest(p_job_ids, v_leased.source_ids, v_leased.row_keys, v_leased.hashes, p_embeddings, p_notes)
               as u (job_id, source_id, row_key, hash, embedding, note)
          left join lateral (
            select c.embedding, c.note
              from evervec.embedding_cache c
             where u.embedding is null and v_source.cache and c.model_id = v_source.model_id and c.content_hash = u.hash
               and (c.note is null or v_source.too_long = 'cut')
             limit 1
          ) c on true
          cross join lateral (select coalesce(u.embedding, c.embedding), coalesce(u.note, c.note)) as v (embedding, note)
         where u.source_id = v_source.source_id;
        if v_batch.missed is not null then
            -- Forgotten since the claim: the next one gives the text.
            perform evervec.finish_jobs(v_batch.missed, array_fill('retry'::text, array[cardinality(v_batch.missed)]));
            return query select u.job_id, 'retry' from unnest(v_batch.missed) as u (job_id);
            continue when v_batch.job_ids is null;
        end if;
        v_outcomes := evervec.try_write_vectors(v_source, v_batch.row_keys, v_batch.hashes, v_batch.embeddings, v_batch.notes);
        perform evervec.finish_jobs(v_batch.job_ids, v_outcomes, v_batch.notes);
        if 'completed' = any (v_outcomes) then
            perform evervec.note_change(v_source.source_id);
        end if;
        if v_batch.hits is not null then
            perform evervec.keep_cached(v_source.model_id, v_batch.hits);
        end if;
        if v_batch.answered then
            perform evervec.free_model(v_source.model_id);
        end if;
        return query select u.job_id, u.outcome from unnest(v_batch.job_ids, v_outcomes) as u (job_id, outcome);
    end loop;
end
$$;

comment on function evervec.complete_jobs(uuid, bigint[], vector[], text[]) is
$$Stores one vector a job and settles the jobs. A vector is NULL where claim_jobs said cached: it is taken from the cache. p_notes: beside the vector and in the receipt, such as where the text was cut; NULL members and NULL: none. outcome: completed; superseded (the row changed meanwhile, queued again); gone (row deleted); locked (a user's transaction holds the row, tried again later); retry (NULL, and the cache has none: queued again); lost (the lease is no longer yours, vector discarded). Keep calls under about 100 jobs so that transactions stay short. Raises VE109, VE301, 55P03.$$;

revoke execute on function evervec.complete_jobs(uuid, bigint[], vector[], text[]) from public;
