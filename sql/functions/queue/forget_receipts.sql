-- forget_receipts: removes receipts of jobs that ended more than 24 hours ago.
--
-- Locks:  what is forgotten, SKIP LOCKED.
create or replace function evervec.forget_receipts(p_limit integer default 10000)
returns bigint
language sql
set search_path from current
as $$
    with removed as (
        delete from evervec.job_receipt r
         where r.ctid = any (array(
            select o.ctid from evervec.job_receipt o where o.finished_at < now() - interval '24 hours' limit p_limit for update skip locked))
        returning 1
    )
    select count(*) from removed
$$;

comment on function evervec.forget_receipts(integer) is
$$Internal. Removes up to p_limit old receipts; returns how many.$$;

revoke execute on function evervec.forget_receipts(integer) from public;
