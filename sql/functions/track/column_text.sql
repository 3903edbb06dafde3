-- column_text: the SQL expression that turns a column of row s into text; NULL becomes ''.
--
-- Arrays read as a comma-separated list. The database's collation, because regular expressions refuse a nondeterministic one
-- and two that differ. Settings that change how a type prints are pinned by the functions that run it.
-- Locks:  none.
create or replace function evervec.column_text(p_relation regclass, p_column text)
returns text
language sql stable
set search_path from current
as $$
    select format('coalesce(%s, '''') collate "default"',
                  format(case when t.typcategory = 'A' then 'array_to_string(s.%I, '', '')' else 's.%I::text' end, a.attname))
      from pg_attribute a
      join pg_type t on t.oid = a.atttypid
     where a.attrelid = p_relation and a.attname = p_column and a.attnum > 0 and not a.attisdropped
$$;

comment on function evervec.column_text(regclass, text) is
$$Internal. SQL expression for the text of one column of row s, '' for NULL; NULL when there is no such column.$$;

revoke execute on function evervec.column_text(regclass, text) from public;
