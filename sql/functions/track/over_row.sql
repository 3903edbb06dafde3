-- over_row: an SQL expression of a user's, which calls the row by its table's name, as an expression over row s.
--
-- Locks:  none.
create or replace function evervec.over_row(p_relation regclass, p_sql text)
returns text
language sql stable
set search_path from current
as $$
    select format(E'(select (%s\n) from (select s.*) as %I)', p_sql, c.relname)
      from pg_class c
     where c.oid = p_relation
$$;

comment on function evervec.over_row(regclass, text) is
$$Internal. A user's SQL expression wrapped so that it can stand where the row is called s.$$;

revoke execute on function evervec.over_row(regclass, text) from public;
