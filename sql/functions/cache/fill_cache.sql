-- fill_cache: keeps the vectors of leased jobs for the next time that one of these texts comes.
--
-- Locks:  the entries, in (model_id, content_hash) order, so that two workers with the same texts wait for each other and no more.
-- needs: functions/control/setting_interval.sql
create or replace function evervec.fill_cache(
    p_source_ids integer[],
    p_hashes     bytea[],
    p_embeddings vector[],
    p_notes      text[]
)
returns void
language sql
set search_path from current
as $$
    insert into evervec.embedding_cache as c (model_id, content_hash, embedding, note, source_id)
    select distinct on (s.model_id, u.hash) s.model_id, u.hash, u.embedding, u.note, s.source_id
      from unnest(p_source_ids, p_hashes, p_embeddings, p_notes) as u (source_id, hash, embedding, note)
      join evervec.source s on s.source_id = u.source_id
     where u.embedding is not null and s.cache
     order by s.model_id, u.hash
    on conflict (model_id, content_hash) do update
       set embedding = excluded.embedding, note = excluded.note, source_id = excluded.source_id,
           created_at = excluded.created_at, used_at = excluded.used_at
     where c.used_at < now() - evervec.setting_interval('cache_keep', '30 days')
$$;

comment on function evervec.fill_cache(integer[], bytea[], vector[], text[]) is
$$Internal. Stores vectors of texts in the cache, those of sources that want it (a NULL source_id is passed over); entries that are there stay unless they have expired.$$;

revoke execute on function evervec.fill_cache(integer[], bytea[], vector[], text[]) from public;
