-- fill_cache: keeps the vectors of leased jobs for the next time that one of these texts comes.
--
-- Locks:  the entries, in (model_id, content_hash) order, so that two workers with the same texts wait for each other and no more.
-- needs: functions/control/setting_interval.sql
create or replace function evervec.fill_cache(
    p_lease_token uuid,
    p_job_ids     bigint[],
    p_embeddings  vector[],
    p_notes       text[]
)
returns void
language sql
set search_path from current
as $$
    insert into evervec.embedding_cache as c (model_id, content_hash, embedding, note, source_id)
    select distinct on (s.model_id, q.claimed_hash) s.model_id, q.claimed_hash, u.embedding, u.note, s.source_id
      from unnest(p_job_ids, p_embeddings, p_notes) as u (job_id, embedding, note)
      join evervec.processing_queue q on q.job_id = u.job_id
      join evervec.source s on s.source_id = q.source_id
     where q.lease_token = p_lease_token and q.status = 'processing' and q.claimed_hash is not null
       and u.embedding is not null and s.cache
     order by s.model_id, q.claimed_hash
    on conflict (model_id, content_hash) do update
       set embedding = excluded.embedding, note = excluded.note, source_id = excluded.source_id, hits = 0,
           created_at = excluded.created_at, used_at = excluded.used_at
     where c.used_at < now() - evervec.setting_interval('cache_keep', '30 days')
$$;

comment on function evervec.fill_cache(uuid, bigint[], vector[], text[]) is
$$Internal. Stores vectors of leased jobs in the cache, those of sources that want it; entries that are there stay unless they have expired.$$;

revoke execute on function evervec.fill_cache(uuid, bigint[], vector[], text[]) from public;
