-- partitions_of: the partitions below a table, in a fixed order; none for a table that is not partitioned.
--
-- Locks:  none.
create or replace function evervec.partitions_of(p_relation regclass)
returns oid[]
language sql stable
set search_path from current
as $$
    select array(select p.relid::oid from pg_partition_tree(p_relation) p where p.relid <> p_relation order by 1)
$$;

comment on function evervec.partitions_of(regclass) is
$$Internal. OIDs of all partitions below a table, ascending.$$;

revoke execute on function evervec.partitions_of(regclass) from public;
