-- attribute_numbers: columns by their numbers, which a rename does not change.
--
-- Locks:  none.
create or replace function evervec.attribute_numbers(p_relation regclass, p_columns text[])
returns smallint[]
language sql stable
set search_path from current
as $$
    select array(
        select a.attnum
          from unnest(p_columns) with ordinality as c (name, ordinality)
          join pg_attribute a on a.attrelid = p_relation and a.attname = c.name
         order by c.ordinality)
$$;

comment on function evervec.attribute_numbers(regclass, text[]) is
$$Internal. attnums of columns, in their order.$$;

revoke execute on function evervec.attribute_numbers(regclass, text[]) from public;
