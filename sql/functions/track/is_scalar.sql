-- is_scalar: whether values of a type can be kept in an array and taken out again: not arrays, not rows, not domains over these.
--
-- Locks:  none.
create or replace function evervec.is_scalar(p_type text)
returns boolean
language sql stable
set search_path from current
as $$
    select t.typcategory not in ('A', 'C') from pg_type t where t.oid = to_regtype(p_type)
$$;

comment on function evervec.is_scalar(text) is
$$Internal. Whether values of that type are neither arrays nor rows.$$;

revoke execute on function evervec.is_scalar(text) from public;
