-- tid_block: the block number of a physical row address.
--
-- Locks:  none.
create or replace function evervec.tid_block(p_tid tid)
returns bigint
language sql immutable
set search_path from current
as $$
    select split_part(trim('(' from p_tid::text), ',', 1)::bigint
$$;

comment on function evervec.tid_block(tid) is
$$Internal. Block number of a ctid.$$;

revoke execute on function evervec.tid_block(tid) from public;
