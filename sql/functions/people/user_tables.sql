-- user_tables: all tables of evervec with a user in them, told by the column user_id; so none can be left out.
--
-- Locks:  none.
create or replace function evervec.user_tables()
returns setof regclass
language sql stable
set search_path from current
as $$
    select c.oid::regclass
      from pg_class c
      join pg_attribute a on a.attrelid = c.oid and a.attname = 'user_id' and not a.attisdropped
     where c.relnamespace = 'evervec'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition
     order by c.relname
$$;

comment on function evervec.user_tables() is
$$Internal. The tables of evervec that have a column user_id, without partitions.$$;

revoke execute on function evervec.user_tables() from public;
