-- next_slice: feed_slice, which no row can stop: when a recipe fails on some row, the whole slice is queued, and claim_jobs finds out
-- on which.
--
-- Locks:  those of feed_slice.
create or replace function evervec.next_slice(
    p_source     evervec.source,
    p_limit      integer,
    out examined bigint,
    out missing  bigint,
    out stale    bigint,
    out orphaned bigint
)
language plpgsql
set search_path from current
as $$
begin
    select f.* into examined, missing, stale, orphaned
      from evervec.feed_slice(p_source, p_limit, p_source.pass_kind = 'reconcile') f;
exception
    when lock_not_available then
        raise;
    when others then
        select f.* into examined, missing, stale, orphaned from evervec.feed_slice(p_source, p_limit, false, p_all => true) f;
end
$$;

comment on function evervec.next_slice(evervec.source, integer) is
$$Internal. The next slice of a source's pass, whatever its rows do to the recipe; counts as feed_slice. Raises 55P03.$$;

revoke execute on function evervec.next_slice(evervec.source, integer) from public;
