-- base_type: the type below a domain, or below a domain over domains.
--
-- Locks:  none.
create or replace function evervec.base_type(p_type oid)
returns oid
language sql stable
set search_path from current
as $$
    with recursive up (type, depth) as (
        select p_type, 0
        union all
        select t.typbasetype, up.depth + 1
          from up
          join pg_type t on t.oid = up.type and t.typtype = 'd'
    )
    select up.type from up order by up.depth desc limit 1
$$;

comment on function evervec.base_type(oid) is
$$Internal. The type below a domain; the type itself when it is none.$$;

revoke execute on function evervec.base_type(oid) from public;
