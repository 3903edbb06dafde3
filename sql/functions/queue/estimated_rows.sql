-- estimated_rows: about how many rows a table has, partitions included, without reading it.
--
-- As the planner estimates it: the rows a page at the last ANALYZE or VACUUM, or as many as are likely by the types of the columns, on as
-- many pages as there are now. Without EXPLAIN: planning runs functions that the table's owner has put into its indexes, constraints and
-- policies, with the rights of whoever asks.
-- Locks:  none.
create or replace function evervec.estimated_rows(p_relation regclass)
returns bigint
language sql stable
set search_path from current
as $$
    select sum(case when t.relkind = 'p' then 0
                    when t.relkind = 'f' then greatest(t.reltuples, 0)
                    when t.reltuples >= 0 and t.relpages > 0 then round(t.pages * t.reltuples::numeric / t.relpages)
                    else t.pages * greatest((current_setting('block_size')::integer - 24) / (28 + w.bytes), 1) end)::bigint
      from (
        select c.oid, c.relkind, c.reltuples, c.relpages, pg_relation_size(c.oid) / current_setting('block_size')::integer as pages
          from (select p_relation::oid union select p.relid from pg_partition_tree(p_relation) p) as r (relation)
          join pg_class c on c.oid = r.relation
      ) t
      cross join lateral (
        select coalesce(sum(case when a.attlen > 0 then a.attlen else 32 end), 0) as bytes
          from pg_attribute a
         where a.attrelid = t.oid and a.attnum > 0 and not a.attisdropped
      ) w
$$;

comment on function evervec.estimated_rows(regclass) is
$$Internal. Estimated number of rows of a table; NULL when it does not exist.$$;

revoke execute on function evervec.estimated_rows(regclass) from public;
