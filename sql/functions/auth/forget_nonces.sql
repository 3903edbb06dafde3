-- forget_nonces: removes nonces of rings that are too old to be accepted again.
--
-- A ring may be dated up to 5 minutes ahead, and is good until 5 minutes after its date.
-- Locks:  what is forgotten, SKIP LOCKED.
create or replace function evervec.forget_nonces(p_limit integer default 10000)
returns bigint
language sql
set search_path from current
as $$
    with removed as (
        delete from evervec.ring_nonce n
         where n.ctid = any (array(
            select o.ctid from evervec.ring_nonce o where o.seen_at < now() - interval '10 minutes' limit p_limit for update skip locked))
        returning 1
    )
    select count(*) from removed
$$;

comment on function evervec.forget_nonces(integer) is
$$Internal. Removes up to p_limit nonces of rings that are past their time; returns how many.$$;

revoke execute on function evervec.forget_nonces(integer) from public;
