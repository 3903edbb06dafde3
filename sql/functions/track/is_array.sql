-- is_array: whether a type, given by its name, is an array, or a domain over one.
--
-- Locks:  none.
create or replace function evervec.is_array(p_type text)
returns boolean
language sql stable
set search_path from current
as $$
    select t.typcategory = 'A' from pg_type t where t.oid = to_regtype(p_type)
$$;

comment on function evervec.is_array(text) is
$$Internal. Whether values of that type are arrays.$$;

revoke execute on function evervec.is_array(text) from public;
