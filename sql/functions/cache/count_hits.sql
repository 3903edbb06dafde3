-- count_hits: notes that vectors of the cache were used.
--
-- The time is written once a day at most: an update that changes no indexed column is cheap.
-- Locks:  the entries, SKIP LOCKED: a count may be missed, nobody waits for it.
create or replace function evervec.count_hits(p_model_id integer, p_hashes bytea[])
returns void
language sql
set search_path from current
as $$
    with used as (
        select c.ctid as address, n.times
          from (select u.hash, count(*) as times from unnest(p_hashes) as u (hash) group by u.hash) n
          join evervec.embedding_cache c on c.model_id = p_model_id and c.content_hash = n.hash
           for no key update of c skip locked
    )
    update evervec.embedding_cache c
       set hits    = c.hits + u.times,
           used_at = case when c.used_at < now() - interval '1 day' then now() else c.used_at end
      from used u
     where c.ctid = u.address
$$;

comment on function evervec.count_hits(integer, bytea[]) is
$$Internal. Counts uses of entries of the cache, one a member of p_hashes, and keeps them from expiring.$$;

revoke execute on function evervec.count_hits(integer, bytea[]) from public;
