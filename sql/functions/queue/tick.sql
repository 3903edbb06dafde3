-- tick: the upkeep of the queue that needs no provider: folds, follows renames and new partitions, takes back expired leases.
--
-- Workers do the first two on every claim; a schedule calls this where workers may be away. What is past its time is forgotten by
-- cleanup_expired, less often.
-- Locks:  those of fold and reclaim.
create or replace function evervec.tick(
    out folded    bigint,
    out reclaimed bigint
)
language plpgsql security definer
set search_path from current
as $$
begin
    folded := evervec.fold(100000);
    perform evervec.follow_renames(evervec.active_sources());
    reclaimed := evervec.reclaim(10000);
end
$$;

comment on function evervec.tick() is
$$Upkeep of the queue in one short call: folds up to 100,000 changes, and takes back up to 10,000 expired leases. Call it again while it returns anything but zeros.$$;

revoke execute on function evervec.tick() from public;
