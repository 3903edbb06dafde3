-- keep_cached: notes that vectors of the cache were used, so that they stay.
--
-- The time is written once a day at most: each time writes the vector again.
-- Locks:  the entries, SKIP LOCKED: nobody waits for it.
create or replace function evervec.keep_cached(p_model_id integer, p_hashes bytea[])
returns void
language sql
set search_path from current
as $$
    update evervec.embedding_cache c
       set used_at = now()
     where c.ctid = any (array(
        select u.ctid
          from evervec.embedding_cache u
         where u.model_id = p_model_id and u.content_hash = any (p_hashes) and u.used_at < now() - interval '1 day'
           for no key update skip locked))
$$;

comment on function evervec.keep_cached(integer, bytea[]) is
$$Internal. Keeps entries of the cache from expiring.$$;

revoke execute on function evervec.keep_cached(integer, bytea[]) from public;
