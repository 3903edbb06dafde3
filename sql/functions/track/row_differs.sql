-- row_differs: the WHEN condition of a trigger: some of the columns are not the same bytes as before.
--
-- Compared as records, byte by byte, because types such as json and xml have no equality. By the function, not its operator *<>:
-- a dump prints that without the casts that it needs, and the restore loses the trigger. Without OF in the trigger, so that what a BEFORE trigger changes is seen too.
-- Locks:  none.
create or replace function evervec.row_differs(p_columns text[])
returns text
language sql immutable
set search_path from current
as $$
    select format('pg_catalog.record_image_ne(row(%s), row(%s))',
                  string_agg(format('old.%I', c.name), ', ' order by c.ordinality),
                  string_agg(format('new.%I', c.name), ', ' order by c.ordinality))
      from unnest(p_columns) with ordinality as c (name, ordinality)
$$;

comment on function evervec.row_differs(text[]) is
$$Internal. SQL condition for the WHEN clause of an UPDATE trigger over these columns.$$;

revoke execute on function evervec.row_differs(text[]) from public;
