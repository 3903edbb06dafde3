-- attribute_names: the names that columns have now, by their numbers.
--
-- Locks:  none.
create or replace function evervec.attribute_names(p_relation regclass, p_attributes smallint[])
returns text[]
language sql stable
set search_path from current
as $$
    select array(
        select a.attname::text
          from unnest(p_attributes) with ordinality as n (attnum, ordinality)
          join pg_attribute a on a.attrelid = p_relation and a.attnum = n.attnum and not a.attisdropped
         order by n.ordinality)
$$;

comment on function evervec.attribute_names(regclass, smallint[]) is
$$Internal. Present names of columns given by attnum, in their order; dropped ones are left out.$$;

revoke execute on function evervec.attribute_names(regclass, smallint[]) from public;
